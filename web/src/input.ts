// Keyboard, touch stick, mouse and game pad.

import type { TaskName } from "./play.ts";
import type { Controls } from "./steering.ts";

const DEAD_ZONE = 0.15; // of a game pad's axis
const PRESSED = 0.3; // of a trigger's travel: from here on it counts as a key
const REACH = 60; // pixels from the middle of the touch stick to full deflection
const TAP_MS = 300; // a press that is longer, or moves farther, is no tap
const TAP_PIXELS = 6;
const RUN = 1.35; // of that reach: from here on the touch stick asks for the fast pace

const STEERING = new Set("w a s d arrowup arrowleft arrowdown arrowright shift control x q e f".split(" "));
const ACTIONS: Record<string, Action> = {
  c: "camera", tab: "next", " ": "pause", r: "reset", f1: "help", "?": "help", escape: "close",
  ",": "slower", ".": "faster", b: "skeleton", i: "feet", g: "ground", f12: "picture", n: "another",
  0: "release", j: "styleBefore", k: "styleAfter",
  1: "joystick", 2: "target", 4: "path", 6: "crowd", 7: "random",
};
const PAD_ACTIONS: [number, Action][] = [[1, "reset"], [3, "camera"], [8, "next"], [9, "pause"]];

export type Action =
  | "camera" | "next" | "pause" | "reset" | "help" | "close" | "slower" | "faster" | "skeleton" | "feet"
  | "ground" | "picture" | "another" | "release" | "styleBefore" | "styleAfter" | "panel" | TaskName;

export interface Listener {
  act(action: Action): void;
  orbit(right: number, up: number): void;
  zoom(notches: number): void;
  /** A click, or a tap by a finger, at a pixel of the window. */
  tap(x: number, y: number): void;
  /** Whether a line may be drawn now. */
  draws(): boolean;
  /** A line that is being drawn has come to a pixel of the window. It begins with the first one, and
   * is complete or given up in the end. */
  trace(x: number, y: number, state: "drawing" | "done" | "given up"): void;
}

/** Collects what is held down; actions, turns and zooms are reported as they happen. */
export class Input {
  /** The lock as a button on the screen, besides the key. */
  lockButton = false;
  private readonly keys = new Set<string>();
  private readonly pointers = new Map<number, { x: number; y: number }>();
  private stick: { id: number; x: number; y: number; right: number; forward: number } | null = null;
  private pen: number | null = null; // the pointer that draws a line
  private tap: { x: number; y: number; at: number } | null = null;
  private padDown = new Set<Action>();
  private readonly controls: Controls = { right: 0, forward: 0, pace: 1, turn: 0, lock: false };

  constructor(
    private readonly canvas: HTMLElement, private readonly knob: HTMLElement,
    private readonly listener: Listener,
  ) {
    addEventListener("keydown", (event) => this.press(event));
    addEventListener("keyup", (event) => this.keys.delete(event.key.toLowerCase()));
    addEventListener("blur", () => this.release());
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"] as const)
      canvas.addEventListener(name, (event) => this.up(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      listener.zoom(-Math.sign(event.deltaY));
    }, { passive: false });
  }

  /** Let go of everything, as when the window loses the keyboard. */
  release(): void {
    this.keys.clear();
    this.pointers.clear();
    this.drop();
    this.lift("given up");
  }

  private lift(state: "done" | "given up", x = 0, y = 0): void {
    if (this.pen !== null) this.listener.trace(x, y, state);
    this.pen = null;
  }

  /** What is held now; the same object each time. `seconds` have passed since the last reading. */
  read(seconds: number): Controls {
    const { keys, controls } = this;
    const down = (...names: string[]) => Number(names.some((name) => keys.has(name)));
    controls.right = down("d", "arrowright") - down("a", "arrowleft") + (this.stick?.right ?? 0);
    controls.forward = down("w", "arrowup") - down("s", "arrowdown") + (this.stick?.forward ?? 0);
    const run = this.stick && Math.hypot(this.stick.right, this.stick.forward) > 1;
    controls.pace = down("control", "x") ? 0 : down("shift") || run ? 2 : 1;
    controls.turn = down("q") - down("e");
    controls.lock = keys.has("f") || this.lockButton;
    this.lockButton = false;
    this.readPad(seconds);
    return controls;
  }

  private press(event: KeyboardEvent): void {
    const key = event.key.toLowerCase();
    if (event.altKey || event.metaKey) return;
    const action = ACTIONS[key];
    const { target } = event;
    if (target instanceof HTMLButtonElement && (key === " " || key === "enter")) return; // it presses it
    if (target instanceof HTMLInputElement && (key.startsWith("arrow") || key === "tab")) return;
    if (event.ctrlKey && "qefx".includes(key)) return; // the browser's own, as Ctrl+F
    if (STEERING.has(key)) {
      this.keys.add(key);
      event.preventDefault();
    } else if (action && !event.ctrlKey) {
      event.preventDefault();
      if (!event.repeat) this.listener.act(action);
    }
  }

  private down(event: PointerEvent): void {
    this.canvas.setPointerCapture(event.pointerId);
    const { clientX: x, clientY: y } = event;
    this.tap = event.isPrimary && event.button === 0 ? { x, y, at: event.timeStamp } : null;
    const touch = event.pointerType === "touch";
    if (this.listener.draws() && this.pen === null && !this.pointers.size && event.button === 0) {
      this.pen = event.pointerId;
      this.listener.trace(x, y, "drawing");
      if (!touch) return;
    } else if (touch && this.pen !== null) this.lift("given up"); // two fingers move the camera
    if (touch && !this.listener.draws() && !this.stick && x < innerWidth / 2) {
      this.stick = { id: event.pointerId, x, y, right: 0, forward: 0 };
      this.knob.hidden = false;
      this.knob.style.left = `${x}px`;
      this.knob.style.top = `${y}px`;
      this.show();
    } else this.pointers.set(event.pointerId, { x, y });
  }

  private move(event: PointerEvent): void {
    const { clientX: x, clientY: y } = event;
    if (this.tap && Math.hypot(x - this.tap.x, y - this.tap.y) > TAP_PIXELS) this.tap = null;
    if (event.pointerId === this.stick?.id) {
      const length = Math.hypot(x - this.stick.x, y - this.stick.y) / REACH;
      const share = length > RUN ? 1.01 / length : Math.min(1, 1 / length);
      this.stick.right = ((x - this.stick.x) / REACH) * share;
      this.stick.forward = ((this.stick.y - y) / REACH) * share;
      this.show();
      return;
    }
    if (event.pointerId === this.pen) {
      const last = this.pointers.get(event.pointerId);
      if (last) [last.x, last.y] = [x, y];
      return this.listener.trace(x, y, "drawing");
    }
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
    if (others.length) {
      const [, other] = others[0];
      const before = Math.hypot(last.x - other.x, last.y - other.y);
      this.listener.zoom((Math.hypot(x - other.x, y - other.y) - before) / 30);
      if (this.listener.draws()) this.listener.orbit(0.004 * (x - last.x), 0.003 * (y - last.y));
    } else this.listener.orbit(0.008 * (x - last.x), 0.006 * (y - last.y));
    last.x = x;
    last.y = y;
  }

  private up(event: PointerEvent): void {
    const { tap } = this;
    this.tap = null;
    if (event.pointerId === this.pen)
      this.lift(tap || event.type !== "pointerup" ? "given up" : "done", event.clientX, event.clientY);
    if (tap && event.type === "pointerup" && event.timeStamp - tap.at < TAP_MS)
      this.listener.tap(tap.x, tap.y);
    this.pointers.delete(event.pointerId);
    if (event.pointerId === this.stick?.id) this.drop();
  }

  private drop(): void {
    this.stick = null;
    this.knob.hidden = true;
  }

  private show(): void {
    const dot = this.knob.firstElementChild as HTMLElement;
    const { right, forward } = this.stick!;
    dot.style.transform = `translate(${right * REACH}px, ${-forward * REACH}px)`;
  }

  private readPad(seconds: number): void {
    const pad = navigator.getGamepads?.().find((each) => each?.connected && each.mapping === "standard");
    if (!pad) return;
    const axis = (i: number) => (Math.abs(pad.axes[i]) > DEAD_ZONE ? pad.axes[i] : 0);
    const held = (i: number) => pad.buttons[i]?.value > PRESSED;
    const { controls } = this;
    controls.right += axis(0);
    controls.forward -= axis(1);
    if (held(6)) controls.pace = 0;
    else if (held(7)) controls.pace = 2;
    controls.turn += Number(held(4)) - Number(held(5));
    controls.lock ||= held(2);
    if (axis(2) || axis(3)) this.listener.orbit(2.4 * axis(2) * seconds, 1.6 * axis(3) * seconds);
    for (const [button, action] of PAD_ACTIONS) {
      if (held(button) && !this.padDown.has(action)) this.listener.act(action);
      if (held(button)) this.padDown.add(action);
      else this.padDown.delete(action);
    }
  }
}
