// What the user's character does: each task turns what the user wants into wishes for the controller.

import type { Play } from "../play.ts";
import type { Player } from "../player.ts";
import type { Controls } from "../steering.ts";

/** What lies on the ground; points are x, z, x, z, … in metres. */
export interface Stage {
  /** The point to go to. */
  flag: readonly [number, number] | null;
  /** Points 0.1 m apart on a path. */
  line: ArrayLike<number> | null;
  /** Where the others of a crowd go. */
  targets: ArrayLike<number> | null;
  /** Whether the wish is shown around the character. */
  steered: boolean;
}

export abstract class Task {
  abstract readonly title: string;
  /** How many play. */
  readonly characters: number = 1;
  /** Whether a line dragged over the ground means something. */
  readonly draws: boolean = false;
  status = "";
  readonly stage: Stage = { flag: null, line: null, targets: null, steered: false };

  constructor(protected readonly play: Play) {}

  protected get player(): Player {
    return this.play.player;
  }

  /** Begin with the characters as they stand. */
  abstract enter(): void;

  /** Chosen while it is being played: the next variant. */
  again(): void {}

  /** Another character has taken over: what the user has chosen stays. */
  handOver(): void {}

  /** Take one step of 1 / rate seconds, with a camera that looks along a yaw. */
  abstract step(controls: Controls, azimuth: number): void;

  /** The user points at (x, z) on the ground; `all` while the camera shows everybody. */
  point(_x: number, _z: number, _all: boolean): void {}

  /** A line over the ground that is being drawn, and whether it is complete. */
  trace(_points: number[], _done: boolean): void {}

  /** The key N, and 0. */
  next(): void {}
  release(): void {}

  /** Of a step. */
  protected get seconds(): number {
    return 1 / this.player.character.model.rate;
  }
}
