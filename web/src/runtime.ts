// The C runtime, compiled to WebAssembly: see native/page.c for what it exports, and
// controller/export/runtime/motion_vae.h for what that means.

interface Exports {
  memory: WebAssembly.Memory;
  allocate(bytes: number): number;
  checksum(start: number, bytes: number): number;
  open(blob: number, bytes: number): number;
  open_status(): number;
  message(status: number): number;
  size(model: number, which: number): number;
  rate(model: number): number;
  table(model: number, which: number): number;
  crowd(model: number, characters: number): number;
  array(crowd: number, which: number): number;
  step(crowd: number, wishes: number): number;
  reset(crowd: number, who: number, pose: number, x: number, z: number, yaw: number): number;
  style(crowd: number, who: number, style: number): number;
  walk(crowd: number, latents: number): void;
  copy(to: number, place: number, from: number, character: number): void;
  drawn(crowd: number, numbers: number): number;
  drawn_array(drawn: number, which: number): number;
  drawn_cut(drawn: number, character: number): void;
  drawn_switch(drawn: number, character: number): void;
  drawn_move(to: number, place: number, from: number, character: number): void;
  drawn_follow(to: number, place: number, from: number, character: number): void;
  draw(drawn: number, on: number, east: number, south: number): void;
  steer(steering: number, x: number, z: number, turn: number, seconds: number): void;
}

/** The numbers by which native/page.c calls sizes, tables and arrays. */
const SIZE = { joints: 0, pose: 1, styles: 2, latent: 3, resetPoses: 4 };
const TABLE = { parents: 0, offsets: 1, mean: 2, std: 3, starts: 4, fastest: 5 };
const ARRAY = { poses: 0, places: 1, roots: 2, rotations: 3, positions: 4, wishes: 5, latents: 6 };

/** The module, and its memory, which only grows. */
export class Runtime {
  private constructor(readonly exports: Exports) {}

  /** Load the module from a URL. */
  static async load(url: string | URL): Promise<Runtime> {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url} cannot be loaded (${answer.status}).`);
    const made = await WebAssembly.instantiate(await answer.arrayBuffer(), {}).catch(() => {
      throw new Error("This browser cannot run WebAssembly with SIMD; those from 2023 on can.");
    });
    return new Runtime(made.instance.exports as unknown as Exports);
  }

  allocate(bytes: number): number {
    const start = this.exports.allocate(bytes);
    if (!start) throw new Error("There is not enough memory for this character.");
    return start;
  }

  /** Copy bytes into the memory, and return where they begin. */
  copy(bytes: ArrayBuffer): number {
    const start = this.allocate(bytes.byteLength);
    new Uint8Array(this.exports.memory.buffer, start).set(new Uint8Array(bytes));
    return start;
  }

  checksum(start: number, bytes: number): number {
    return this.exports.checksum(start, bytes) >>> 0;
  }

  /** A view of floats. The memory's buffer changes when it grows, so do not keep it for long. */
  floats(start: number, count: number): Float32Array {
    return new Float32Array(this.exports.memory.buffer, start, count);
  }

  ints(start: number, count: number): Int32Array {
    return new Int32Array(this.exports.memory.buffer, start, count);
  }

  message(status: number): string {
    const bytes = new Uint8Array(this.exports.memory.buffer);
    const start = this.exports.message(status);
    return new TextDecoder().decode(bytes.subarray(start, bytes.indexOf(0, start)));
  }
}

/** A character's controller: weights and skeleton. */
export class Model {
  readonly joints: number;
  readonly pose: number;
  readonly styles: number;
  readonly latent: number;
  readonly resetPoses: number;
  readonly rate: number;
  readonly parents: Int32Array;
  readonly offsets: Float32Array;
  /** m/s: the fastest that the policy was trained for, forward, sideways, backward. */
  readonly fastest: Float32Array;
  /** (R, 2): forward and leftward velocity of each reset pose, m/s. */
  readonly starts: Float32Array;

  /** Of weights in the runtime's memory. Throws an Error with one sentence if they are refused. */
  constructor(readonly runtime: Runtime, weights: number, bytes: number) {
    const all = runtime.exports;
    this.handle = all.open(weights, bytes);
    if (!this.handle) throw new Error(`The weights are refused: ${runtime.message(all.open_status())}.`);
    const handle = this.handle;
    this.joints = all.size(handle, SIZE.joints);
    this.pose = all.size(handle, SIZE.pose);
    this.styles = all.size(handle, SIZE.styles);
    this.latent = all.size(handle, SIZE.latent);
    this.resetPoses = all.size(handle, SIZE.resetPoses);
    this.rate = all.rate(handle);
    this.parents = runtime.ints(all.table(handle, TABLE.parents), this.joints).slice();
    this.offsets = runtime.floats(all.table(handle, TABLE.offsets), 3 * this.joints).slice();
    this.fastest = runtime.floats(all.table(handle, TABLE.fastest), 3).slice();
    const mean = runtime.floats(all.table(handle, TABLE.mean), 2);
    const std = runtime.floats(all.table(handle, TABLE.std), 2);
    const poses = runtime.floats(all.table(handle, TABLE.starts), this.pose * this.resetPoses);
    this.starts = new Float32Array(2 * this.resetPoses);
    for (let i = 0; i < this.resetPoses; i++)
      for (let k = 0; k < 2; k++) this.starts[2 * i + k] = poses[this.pose * i + k] * std[k] + mean[k];
  }

  readonly handle: number;

  /** The reset pose whose velocity (forward, left), m/s, is nearest to this. */
  nearest(forward: number, left: number): number {
    let best = 0;
    let least = Infinity;
    for (let i = 0; i < this.resetPoses; i++) {
      const away = Math.hypot(this.starts[2 * i] - forward, this.starts[2 * i + 1] - left);
      if (away < least) [best, least] = [i, away];
    }
    return best;
  }
}

/** One or more characters of a model, each with its wish. */
export class Crowd {
  readonly handle: number;
  private readonly at: number[];
  private memory!: ArrayBufferLike;
  private views: Float32Array[] = [];

  constructor(readonly model: Model, readonly characters: number) {
    const { runtime } = model;
    this.handle = runtime.exports.crowd(model.handle, characters);
    if (!this.handle) throw new Error("There is not enough memory for so many characters.");
    this.at = [0, 1, 2, 3, 4].map((which) => runtime.exports.array(this.handle, which));
    this.at.push(runtime.allocate(12 * characters), runtime.allocate(4 * model.latent * characters));
  }

  /** (N, 3): x and z on the ground in metres, yaw in radians. */
  get places(): Float32Array { return this.view(ARRAY.places, 3); }
  /** (N, D), in standard deviations. */
  get poses(): Float32Array { return this.view(ARRAY.poses, this.model.pose); }
  /** (N, 3): the root joint in the world. */
  get roots(): Float32Array { return this.view(ARRAY.roots, 3); }
  /** (N, J, 4): quaternions (x, y, z, w) relative to the parents, the root's to the world. */
  get rotations(): Float32Array { return this.view(ARRAY.rotations, 4 * this.model.joints); }
  /** (N, J, 3): every joint in the world. */
  get positions(): Float32Array { return this.view(ARRAY.positions, 3 * this.model.joints); }
  /** (N, 3): the wished velocity (x, z) in m/s, and the yaw to face. Write to it. */
  get wish(): Float32Array { return this.view(ARRAY.wishes, 3); }

  /** (N, L): what `walk` takes. Write to it. */
  get latents(): Float32Array { return this.view(ARRAY.latents, this.model.latent); }

  /** Move all by one step of 1 / rate seconds. */
  step(): void {
    const status = this.model.runtime.exports.step(this.handle, this.at[ARRAY.wishes]);
    if (status) throw new Error(this.model.runtime.message(status));
  }

  /** Move all by one step with `latents`, within ±2, instead of the policy's. */
  walk(): void {
    this.model.runtime.exports.walk(this.handle, this.at[ARRAY.latents]);
  }

  /** The one of this number goes on as one of another crowd of the same model. */
  copy(who: number, from: Crowd, other: number): void {
    this.model.runtime.exports.copy(this.handle, who, from.handle, other);
  }

  /** Put one down at (x, z), facing yaw, in the reset pose of this number. */
  reset(who: number, pose: number, x: number, z: number, yaw: number): void {
    const status = this.model.runtime.exports.reset(this.handle, who, pose, x, z, yaw);
    if (status) throw new Error(this.model.runtime.message(status));
  }

  /** Ask for the style of this number. */
  style(who: number, style: number): void {
    this.model.runtime.exports.style(this.handle, who, style);
  }

  /** Views are made anew only after the memory has grown: a step leaves no garbage. */
  private view(which: number, width: number): Float32Array {
    const { buffer } = this.model.runtime.exports.memory;
    if (this.memory !== buffer) {
      this.memory = buffer;
      this.views = [];
    }
    return (this.views[which] ??= this.model.runtime.floats(this.at[which], width * this.characters));
  }
}
