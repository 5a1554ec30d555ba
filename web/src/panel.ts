// The panel of what can be chosen besides the keys: the ground's slope, and the latents of the random
// walk.

import { type Play, STEEPEST } from "./play.ts";
import { LIMIT, type RandomWalk } from "./tasks/random.ts";

export class Panel {
  private readonly element = document.getElementById("panel")!;
  private readonly latents = document.getElementById("latents")!;
  private readonly slope = document.getElementById("slope") as HTMLInputElement;
  private readonly size = document.getElementById("size") as HTMLInputElement;
  private sliders: { unit: number; input: HTMLInputElement; label: HTMLElement }[] = [];

  constructor(private readonly play: Play) {
    this.slope.min = String(-STEEPEST);
    this.slope.max = String(STEEPEST);
    this.slope.addEventListener("input", () => { play.degrees = Number(this.slope.value); });
    this.size.addEventListener("input", () => { this.walk.size = Number(this.size.value); });
    for (const input of [this.slope, this.size]) input.addEventListener("change", () => input.blur());
  }

  private get walk(): RandomWalk {
    return this.play.tasks.random as RandomWalk;
  }

  toggle(): void {
    this.element.hidden = !this.element.hidden;
  }

  /** Sliders for the latents of the character that plays, those that move it most first. */
  use(): void {
    const { latent } = this.play.player.character.facts;
    this.sliders = [];
    const units = latent.map((_, unit) => unit).sort((a, b) => latent[b] - latent[a]);
    this.latents.replaceChildren(...units.map((unit) => this.slider(unit)));
  }

  private slider(unit: number): HTMLElement {
    const label = document.createElement("label");
    const input = Object.assign(document.createElement("input"), {
      type: "range", min: String(-LIMIT), max: String(LIMIT), step: "0.01", value: "0",
    });
    label.append(String(unit + 1), input);
    input.addEventListener("input", () => this.walk.hold(unit, Number(input.value)));
    input.addEventListener("change", () => input.blur());
    label.addEventListener("dblclick", () => this.walk.release(unit));
    this.sliders.push({ unit, input, label });
    return label;
  }

  /** Show the values as they are now. */
  update(): void {
    const { play } = this;
    const walks = play.task === play.tasks.random;
    document.body.classList.toggle("walks", walks);
    if (Number(this.slope.value) !== play.degrees) this.slope.value = String(play.degrees);
    document.getElementById("degrees")!.textContent = `${play.degrees}°`;
    if (!walks || this.element.hidden) return;
    for (const { unit, input, label } of this.sliders) {
      const held = this.walk.held[unit];
      label.classList.toggle("held", held);
      if (!held) input.value = String(this.walk.values[unit]);
    }
  }
}
