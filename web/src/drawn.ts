// What is drawn of a crowd: motion that is blended where it changes, feet that stand still, legs on a
// slope. native/ has the formulas. Nothing of it is fed back into the simulation.

import type { Character } from "./character.ts";
import { Motion } from "./pose.ts";
import { Crowd, type Runtime } from "./runtime.ts";

/** Ground that rises by so many metres for each metre along x and z. */
export interface Slope {
  east: number;
  south: number;
}

export class Drawn {
  private readonly handle: number;
  private readonly runtime: Runtime;
  private memory!: ArrayBufferLike;
  private views!: [Float32Array, Float32Array];

  constructor(character: Character, readonly crowd: Crowd) {
    this.runtime = character.model.runtime;
    const { legs } = character.facts;
    const numbers = this.runtime.allocate(8 * legs.length);
    new Float64Array(this.runtime.exports.memory.buffer, numbers, legs.length).set(legs);
    this.handle = this.runtime.exports.drawn(crowd.handle, numbers);
    if (!this.handle) throw new Error("There is not enough memory for so many characters.");
  }

  get model() { return this.crowd.model; }
  /** (N, 3): the root joint in the world, as it is drawn. */
  get roots(): Float32Array { return this.view()[0]; }
  /** (N, J, 4), as `Crowd.rotations`. */
  get rotations(): Float32Array { return this.view()[1]; }

  /** The frame after a step of the crowd. */
  next(held: boolean, slope: Slope): void {
    this.runtime.exports.draw(this.handle, Number(held), slope.east, slope.south);
  }

  /** The next frame of a character has nothing to do with its last one. */
  cut(who: number): void {
    this.runtime.exports.drawn_cut(this.handle, who);
  }

  /** In its next frame a character moves on in another way. */
  switch(who: number): void {
    this.runtime.exports.drawn_switch(this.handle, who);
  }

  /** A character goes on here that was one of another crowd of the same model. */
  move(who: number, from: Drawn, other: number): void {
    this.runtime.exports.drawn_move(this.handle, who, from.handle, other);
  }

  /** A character begins in the pose in which one of another model was drawn last, if both have the
   * same skeleton. */
  follow(who: number, from: Drawn, other: number): void {
    this.runtime.exports.drawn_follow(this.handle, who, from.handle, other);
  }

  private view(): [Float32Array, Float32Array] {
    const { memory, drawn_array } = this.runtime.exports;
    if (this.memory !== memory.buffer) {
      this.memory = memory.buffer;
      const { characters, model: { joints } } = this.crowd;
      this.views = [
        this.runtime.floats(drawn_array(this.handle, 0), 3 * characters),
        this.runtime.floats(drawn_array(this.handle, 1), 4 * joints * characters),
      ];
    }
    return this.views;
  }
}

/** Characters that play together: their controllers, what is drawn of them, and that over time. */
export class Cast {
  readonly crowd: Crowd;
  readonly drawn: Drawn;
  readonly motion: Motion;

  constructor(character: Character, readonly characters: number) {
    this.crowd = new Crowd(character.model, characters);
    this.drawn = new Drawn(character, this.crowd);
    this.motion = new Motion(this.drawn);
  }
}
