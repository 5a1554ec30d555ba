// The page: loads the characters, lets the user steer one of them, and draws it.

import { Camera, groundAt } from "./camera.ts";
import { Character } from "./character.ts";
import { Clock } from "./clock.ts";
import { type Action, Input } from "./input.ts";
import { Player } from "./player.ts";
import { quality } from "./quality.ts";
import { Runtime } from "./runtime.ts";
import { replay, time } from "./trial.ts";
import { View } from "./view.ts";

const SLOW = 0.25;
const STATUS_MS = 200;

const find = (id: string) => document.getElementById(id) as HTMLElement;

class Page {
  private readonly view: View;
  private readonly camera = new Camera();
  private readonly input: Input;
  private readonly players: Player[] = [];
  private player: Player;
  private clock: Clock;
  private paused = false;
  private slow = false;
  private last = 0;
  private told = 0;
  private frames = 0;
  private firstPicture = 0; // ms after the page was asked for

  constructor(private readonly runtime: Runtime, first: Character) {
    const canvas = find("picture") as HTMLCanvasElement;
    this.view = new View(canvas);
    this.input = new Input(canvas, find("stick"), {
      act: (action) => this.act(action),
      orbit: (right, up) => this.camera.orbit(right, up),
      zoom: (notches) => this.camera.zoom(notches),
      tap: (x, y) => this.tap(x, y),
    });
    this.player = Player.of(first, runtime);
    this.clock = new Clock(1 / first.model.rate);
    this.player.reset();
    this.camera.jump(0, 0);
    this.add(this.player);
    this.show(this.player);
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
    requestAnimationFrame((now) => this.frame(now));
  }

  /** Another character that can take over. */
  add(player: Player): void {
    this.players.push(player);
    document.body.classList.toggle("several", this.players.length > 1);
  }

  join(character: Character): void {
    this.add(new Player(character, this.player.steering));
  }

  private show(player: Player): void {
    const { facts } = player.character;
    this.player = player;
    this.clock = new Clock(1 / player.character.model.rate);
    this.view.use(player.character);
    this.camera.aimAt(facts.hips);
    find("licence").textContent = facts.notice;
    const [ahead, sideways, backward] = facts.fastest.map((speed) => speed.toFixed(1));
    find("speeds").textContent = `up to ${ahead} m/s ahead, ${backward} backward, ${sideways} sideways`;
    find("name").textContent = facts.name;
  }

  private act(action: Action): void {
    const help = find("help");
    if (action === "pause") this.paused = !this.paused;
    else if (action === "slow") this.slow = !this.slow;
    else if (action === "skeleton") this.view.skeleton = !this.view.skeleton;
    else if (action === "camera") this.camera.next();
    else if (action === "help") help.hidden = !help.hidden;
    else if (action === "close") help.hidden = true;
    else if (action === "reset") {
      this.player.reset();
      this.camera.jump(0, 0);
    } else if (action === "next" && this.players.length > 1) {
      const { player } = this;
      const next = this.players[(this.players.indexOf(player) + 1) % this.players.length];
      next.takeOver(player);
      this.show(next);
    }
    this.told = 0;
  }

  /** A click beside the help closes it; one on the ground sets the flag. */
  private tap(x: number, y: number): void {
    if (!find("help").hidden) return this.act("close");
    const right = (2 * x) / Math.max(this.width, 1) - 1;
    const up = 1 - (2 * y) / Math.max(this.height, 1);
    this.player.flag = groundAt(this.camera, right, up) ?? this.player.flag;
  }

  /** Browsers ask for no pictures while the page is hidden, so it pauses by itself. */
  private frame(now: number): void {
    const seconds = Math.min(Math.max((now - this.last) / 1000, 0), 0.25);
    this.last = now;
    const { player, camera } = this;
    const controls = this.input.read(seconds);
    const due = this.paused ? 0 : this.clock.advance(this.slow ? SLOW * seconds : seconds);
    for (let i = 0; i < due; i++) player.step(controls, camera.azimuth);
    player.motion.between(this.clock.share, 0, player.joints);

    const { clientWidth: width, clientHeight: height } = document.documentElement;
    const size = this.size(width, height);
    const { positions } = player.joints;
    camera.follow(positions[0], positions[2], player.crowd.places[2], seconds, size);
    this.view.draw(player, camera);
    this.frames++;
    this.firstPicture ||= performance.now();
    if (now - this.told > STATUS_MS) this.tell(now);
    requestAnimationFrame((later) => this.frame(later));
  }

  private width = 0;
  private height = 0;

  /** Width ÷ height of the picture, which is fitted to the window if that has changed. */
  private size(width: number, height: number): number {
    if (width !== this.width || height !== this.height) {
      this.width = width;
      this.height = height;
      this.view.resize(width, height);
    }
    return width / Math.max(height, 1);
  }

  private tell(now: number): void {
    const { player } = this;
    const speed = Math.hypot(player.velocity[0], player.velocity[1]);
    const parts = [
      `${speed.toFixed(1)} m/s`,
      player.steering.locked ? "facing locked" : "facing free",
      `camera: ${this.camera.mode}`,
    ];
    if (this.slow) parts.push("slow motion");
    if (this.paused) parts.push("paused");
    find("status").textContent = parts.join(" · ");
    this.told = now;
  }

  /** For tests and measurements. */
  get trial() {
    const page = this;
    return {
      get position() { return [...page.player.joints.positions.slice(0, 3)]; },
      get yaw() { return page.player.crowd.places[2]; },
      get wish() { return [...page.player.crowd.wish]; },
      get steps() { return page.players.reduce((sum, each) => sum + each.steps, 0); },
      get frames() { return page.frames; },
      get firstPicture() { return page.firstPicture; },
      get name() { return page.player.character.facts.name; },
      get characters() { return page.players.length; },
      get flag() { return page.player.flag; },
      get locked() { return page.player.steering.locked; },
      replay: (moments: Parameters<typeof replay>[2]) => replay(page.player, page.runtime, moments),
      time: (characters: number, steps: number) => time(page.player, characters, steps),
    };
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
  Object.assign(window, { motionVae: page.trial });
  find("loading").hidden = true;
  for (const name of names.slice(1))
    await Character.load(name, runtime).then((each) => page.join(each), complain);
}

main().catch((error) => {
  find("loading").hidden = true;
  complain(error);
});
