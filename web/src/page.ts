// The page: loads the characters, lets the user steer one of them, and draws it.

import { Camera, groundAt } from "./camera.ts";
import { Character } from "./character.ts";
import { Clock } from "./clock.ts";
import { type Action, Input } from "./input.ts";
import { Panel } from "./panel.ts";
import { KEYS, Play, STEEPEST, type TaskName } from "./play.ts";
import { Player } from "./player.ts";
import { quality } from "./quality.ts";
import { Runtime } from "./runtime.ts";
import { Steering } from "./steering.ts";
import { observe } from "./trial.ts";
import { View } from "./view.ts";

const SPEEDS = [1 / 8, 1 / 4, 1 / 2, 1, 2]; // of time
const USUAL = SPEEDS.indexOf(1);
const STATUS_MS = 200;
const SLOPES = [0, 5, 10, STEEPEST, -STEEPEST, -10, -5]; // degrees, in the order of the key G

const find = (id: string) => document.getElementById(id) as HTMLElement;
const TASKS: ReadonlySet<string> = new Set(Object.values(KEYS));

export class Page {
  readonly play: Play;
  readonly camera = new Camera();
  private readonly view: View;
  private readonly input: Input;
  private readonly panel: Panel;
  private readonly stroke: number[] = [];
  private clock: Clock;
  private paused = false;
  private speed = USUAL;
  private wantsPicture = false;
  private last = 0;
  private told = 0;
  frames = 0;
  firstPicture = 0; // ms after the page was asked for

  constructor(readonly runtime: Runtime, first: Character) {
    const canvas = find("picture") as HTMLCanvasElement;
    this.view = new View(canvas);
    this.input = new Input(canvas, find("stick"), {
      act: (action) => this.act(action),
      orbit: (right, up) => this.camera.orbit(right, up),
      zoom: (notches) => this.camera.zoom(notches),
      tap: (x, y) => this.tap(x, y),
      draws: () => this.play.task.draws,
      trace: (x, y, state) => this.trace(x, y, state),
    });
    this.play = new Play(new Player(first), new Steering(runtime, first.facts.paces));
    this.panel = new Panel(this.play);
    this.clock = new Clock(1 / first.model.rate);
    this.show();
    this.camera.jump(0, 0, this.play.slope);
    this.listen();
    requestAnimationFrame((now) => this.frame(now));
  }

  private listen(): void {
    for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-act]"))
      button.addEventListener("click", () => {
        button.blur();
        if (button.dataset.act === "lock") this.input.lockButton = true;
        else this.act(button.dataset.act as Action);
      });
    document.addEventListener("visibilitychange", () => {
      this.input.release();
      this.last = Infinity; // the time while the page was hidden does not count
    });
  }

  /** Another character that can take over. */
  join(character: Character): void {
    this.play.players.push(new Player(character));
    document.body.classList.add("several");
  }

  /** Let everything on the screen be of the character that plays. */
  private show(): void {
    const { facts, model } = this.play.player.character;
    this.clock = new Clock(1 / model.rate);
    this.view.use(this.play.player.character);
    this.camera.aimAt(facts.hips);
    this.panel.use();
    document.body.classList.toggle("styled", facts.styles.length > 1);
    find("licence").textContent = facts.notice;
    const [ahead, sideways, backward] = facts.fastest.map((speed) => speed.toFixed(1));
    find("speeds").textContent = `up to ${ahead} m/s ahead, ${backward} backward, ${sideways} sideways`;
    find("name").textContent = facts.name;
  }

  private act(action: Action): void {
    const { play, camera } = this;
    if (TASKS.has(action)) play.choose(action as TaskName);
    else if (action === "pause") this.paused = !this.paused;
    else if (action === "slower") this.speed = Math.max(this.speed - 1, 0);
    else if (action === "faster") this.speed = Math.min(this.speed + 1, SPEEDS.length - 1);
    else if (action === "skeleton") this.view.skeleton = !this.view.skeleton;
    else if (action === "feet") play.held = !play.held;
    else if (action === "ground") play.degrees = SLOPES[(SLOPES.indexOf(play.degrees) + 1) % SLOPES.length];
    else if (action === "picture") this.wantsPicture = true;
    else if (action === "camera") camera.next();
    else if (action === "another") play.task.next();
    else if (action === "release") play.task.release();
    else if (action === "styleBefore") play.player.style(-1);
    else if (action === "styleAfter") play.player.style(1);
    else if (action === "panel") this.panel.toggle();
    else if (action === "help") find("help").hidden = !find("help").hidden;
    else if (action === "close") find("help").hidden = true;
    else if (action === "reset") {
      play.reset();
      camera.jump(0, 0, play.slope);
    } else if (action === "next") {
      play.next();
      this.show();
    }
    this.told = 0;
  }

  /** The point of the ground under a pixel. */
  private ground(x: number, y: number): [number, number] | null {
    const right = (2 * x) / Math.max(this.width, 1) - 1;
    return groundAt(this.camera, right, 1 - (2 * y) / Math.max(this.height, 1), this.play.slope);
  }

  /** A click beside the help closes it; one on the ground means that point. */
  private tap(x: number, y: number): void {
    if (!find("help").hidden) return this.act("close");
    const point = this.ground(x, y);
    if (point) this.play.task.point(...point, this.camera.mode === "all");
  }

  private trace(x: number, y: number, state: "drawing" | "done" | "given up"): void {
    const point = state === "given up" ? null : this.ground(x, y);
    if (point) this.stroke.push(...point);
    if (state === "drawing") return this.play.task.trace(this.stroke, false);
    this.play.task.trace(state === "done" ? this.stroke : [], true);
    this.stroke.length = 0;
  }

  /** Browsers ask for no pictures while the page is hidden, so it pauses by itself. */
  private frame(now: number): void {
    requestAnimationFrame((later) => this.frame(later));
    if (document.hidden) return;
    const seconds = Math.min(Math.max((now - this.last) / 1000, 0), 0.25);
    this.last = now;
    const { play, camera } = this;
    const controls = this.input.read(seconds);
    const due = this.paused ? 0 : this.clock.advance(SPEEDS[this.speed] * seconds);
    for (let i = 0; i < due; i++) play.step(controls, camera.azimuth);
    const { cast, who, place } = play.player;
    cast.motion.mix(this.clock.share, who);
    const { clientWidth: width, clientHeight: height } = document.documentElement;
    const aspect = this.fit(width, height);
    camera.follow(cast.motion.root, place[2], seconds, aspect, play.slope, cast.drawn.roots);
    this.view.draw(play, camera, this.clock.share);
    if (this.wantsPicture) this.save();
    this.frames++;
    this.firstPicture ||= performance.now();
    if (now - this.told > STATUS_MS) this.tell(now);
  }

  private width = 0;
  private height = 0;

  /** Width ÷ height of the picture, which is fitted to the window if that has changed. */
  private fit(width: number, height: number): number {
    if (width !== this.width || height !== this.height) {
      this.width = width;
      this.height = height;
      this.view.resize(width, height);
    }
    return width / Math.max(height, 1);
  }

  /** Offer the picture as a file. */
  private save(): void {
    this.wantsPicture = false;
    this.view.renderer.domElement.toBlob((blob) => {
      if (!blob) return;
      const href = URL.createObjectURL(blob);
      const name = `${this.play.player.character.facts.name}-${this.play.steps}.png`;
      Object.assign(document.createElement("a"), { href, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(href), 1000);
    });
  }

  private tell(now: number): void {
    const { play } = this;
    const speed = Math.hypot(play.player.velocity[0], play.player.velocity[1]);
    const parts = [`${speed.toFixed(1)} m/s`, play.task.title, play.task.status, `camera: ${this.camera.mode}`];
    if (play.player.styled) parts.push(play.player.styled);
    if (play.degrees) parts.push(`slope ${play.degrees}°`);
    if (!play.held) parts.push("feet free");
    if (this.speed !== USUAL) parts.push(`time × ${SPEEDS[this.speed]}`);
    if (this.paused) parts.push("paused");
    find("status").textContent = parts.filter(Boolean).join(" · ");
    for (const button of document.querySelectorAll<HTMLElement>("#tasks button"))
      button.classList.toggle("now", button.dataset.act === play.name);
    this.panel.update();
    this.told = now;
  }
}

function complain(error: unknown): void {
  find("error").textContent = error instanceof Error ? error.message : String(error);
  find("error").hidden = false;
}

async function main(): Promise<void> {
  if (location.protocol === "file:")
    throw new Error("This page must come from a web server. In its folder, run: python -m http.server");
  const names = JSON.parse(document.body.dataset.characters ?? "[]") as string[];
  if (!names.length) throw new Error("This page has no character.");
  quality(); // or say that nothing can be drawn
  const runtime = await Runtime.load("motion_vae.wasm");
  const page = new Page(runtime, await Character.load(names[0], runtime));
  Object.assign(window, { motionVae: observe(page) });
  find("loading").hidden = true;
  for (const name of names.slice(1))
    await Character.load(name, runtime).then((each) => page.join(each), complain);
}

main().catch((error) => {
  find("loading").hidden = true;
  complain(error);
});
