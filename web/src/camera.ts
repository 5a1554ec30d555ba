// A camera on a boom that follows the character, as controller/viewer/scene/camera.py.

import { PerspectiveCamera, Vector3 } from "three";

import type { Slope } from "./drawn.ts";

const FIELD_OF_VIEW = (36 * Math.PI) / 180; // vertically
const NARROWEST = 0.9; // width ÷ height: narrower pictures look wider upwards instead
const DISTANCES = [1.5, 14];
const ELEVATIONS = [(-4 * Math.PI) / 180, (85 * Math.PI) / 180];
const AIM = 0.86; // metres above the ground, or less for a small character
const DISTANCE = 4.4; // m
const STEEP = (38 * Math.PI) / 180; // the least elevation in the mode "all"
const MARGIN = 0.85; // the part of the picture that a crowd fills
export const MODES = ["orbit", "chase", "above", "all"] as const;

/** A critically damped spring that halves the distance in about this many seconds. */
class Spring {
  private change = 0;
  private readonly decay: number;

  constructor(public value: number, halfLife: number) {
    this.decay = (2 * Math.LN2) / halfLife;
  }

  reset(value: number): void {
    this.value = value;
    this.change = 0;
  }

  step(target: number, seconds: number): void {
    const distance = this.value - target;
    const momentum = this.change + distance * this.decay;
    const damping = Math.exp(-this.decay * seconds);
    this.value = damping * (distance + momentum * seconds) + target;
    this.change = damping * (this.change - momentum * this.decay * seconds);
  }
}

export class Camera {
  readonly lens = new PerspectiveCamera(36, 1, 0.1, 200);
  readonly aim = new Vector3();
  mode: (typeof MODES)[number] = "orbit";
  azimuth = 0;
  elevation = 0.32;
  distance = DISTANCE;
  height = AIM;
  private readonly away = new Spring(0, 0.25);
  private readonly crowd = [0, 1, 2, 3].map(() => new Spring(0, 0.25));
  private readonly wanted = [0, 0, 0, DISTANCE];
  private readonly boom = [new Spring(0, 0.06), new Spring(0.32, 0.06), new Spring(DISTANCE, 0.06)];
  private readonly follows = [new Spring(0, 0.12), new Spring(AIM, 0.12), new Spring(0, 0.12)];

  /** Turn by angles in radians. */
  orbit(right: number, up: number): void {
    this.azimuth -= right;
    this.elevation = clamp(this.elevation + up, ELEVATIONS);
  }

  /** Move closer (positive) or away. */
  zoom(notches: number): void {
    this.distance = clamp(this.distance * 0.88 ** notches, DISTANCES);
  }

  next(): void {
    this.mode = MODES[(MODES.indexOf(this.mode) + 1) % MODES.length];
  }

  aimAt(hips: number): void {
    this.height = Math.min(AIM, hips);
  }

  /** Go to a root at (x, z) at once. */
  jump(x: number, z: number, slope: Slope): void {
    [x, this.height + level(slope, x, z), z].forEach((value, i) => this.follows[i].reset(value));
    this.away.reset(0);
  }

  /** Follow a root (3), one of all `roots` (N, 3), which faces a yaw, for some seconds, in a
   * picture of this shape. */
  follow(
    root: ArrayLike<number>, yaw: number, seconds: number, aspect: number, slope: Slope,
    roots: Float32Array,
  ): void {
    if (this.mode === "chase") {
      const turn = 2 * Math.PI;
      const away = yaw - this.azimuth;
      const behind = away - turn * Math.round(away / turn);
      this.azimuth += behind * (1 - 0.5 ** (seconds / 0.7));
    }
    const above = this.mode === "above";
    this.follows[0].step(root[0], seconds);
    this.follows[1].step(this.height + level(slope, root[0], root[2]), seconds);
    this.follows[2].step(root[2], seconds);
    this.boom[0].step(this.azimuth, seconds);
    this.boom[1].step(above ? ELEVATIONS[1] : this.elevation, seconds);
    this.boom[2].step(above ? 1.6 * this.distance : this.distance, seconds);
    const half = Math.tan(FIELD_OF_VIEW / 2) * Math.max(1, NARROWEST / aspect);
    this.overlook(roots, seconds, slope, half, aspect);
    this.look(half, aspect, slope);
  }

  /** The point to look at and the distance from it that show a whole crowd. */
  private overlook(roots: Float32Array, seconds: number, slope: Slope, half: number, aspect: number): void {
    const many = roots.length > 3;
    if (many) {
      this.surround(roots, slope, half, aspect);
      this.crowd.forEach((spring, i) => {
        if (this.away.value > 0.01) spring.step(this.wanted[i], seconds);
        else spring.reset(this.wanted[i]);
      });
    }
    this.away.step(Number(many && this.mode === "all"), seconds);
  }

  private surround(roots: Float32Array, slope: Slope, half: number, aspect: number): void {
    let [left, right, near, far] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < roots.length; i += 3) {
      left = Math.min(left, roots[i]);
      right = Math.max(right, roots[i]);
      near = Math.min(near, roots[i + 2]);
      far = Math.max(far, roots[i + 2]);
    }
    const x = (left + right) / 2;
    const z = (near + far) / 2;
    const y = this.height + level(slope, x, z);
    const elevation = Math.max(this.elevation, STEEP);
    const [sin, cos, up, flat] = [
      Math.sin(this.azimuth), Math.cos(this.azimuth), Math.sin(elevation), Math.cos(elevation),
    ];
    let distance = DISTANCE;
    for (let i = 0; i < roots.length; i += 3) {
      const [a, b, c] = [roots[i] - x, roots[i + 1] - y, roots[i + 2] - z];
      const ahead = sin * a + cos * c;
      const aside = Math.abs(cos * a - sin * c) / aspect;
      const above = Math.abs(flat * b + up * ahead);
      distance = Math.max(distance, Math.max(aside, above) / (MARGIN * half) + up * b - flat * ahead);
    }
    const { wanted } = this;
    wanted[0] = x;
    wanted[1] = y;
    wanted[2] = z;
    wanted[3] = (distance * this.distance) / DISTANCE;
  }

  private look(half: number, aspect: number, slope: Slope): void {
    const { lens, boom, follows, crowd } = this;
    const away = this.away.value;
    const azimuth = boom[0].value;
    const elevation = boom[1].value + away * Math.max(STEEP - boom[1].value, 0);
    const distance = boom[2].value + away * (crowd[3].value - boom[2].value);
    const part = (i: number) => follows[i].value + away * (crowd[i].value - follows[i].value);
    this.aim.set(part(0), part(1), part(2));
    const flat = Math.cos(elevation) * distance;
    lens.position.set(-Math.sin(azimuth) * flat, Math.sin(elevation) * distance, -Math.cos(azimuth) * flat);
    lens.position.add(this.aim);
    const ground = level(slope, lens.position.x, lens.position.z);
    lens.position.y = Math.max(lens.position.y, ground + 0.15);
    lens.lookAt(this.aim);
    lens.fov = (2 * Math.atan(half) * 180) / Math.PI;
    lens.aspect = aspect;
    lens.updateProjectionMatrix();
    lens.updateMatrixWorld();
  }
}

/** The ground's height in metres. */
export function level({ east, south }: Slope, x: number, z: number): number {
  return east * x + south * z;
}

const ray = new Vector3();
const FARTHEST = 60; // m

/** The point (x, z) of the ground at a place of the picture, each way from −1 to 1; null above the
 * horizon, and far away. */
export function groundAt(
  { lens }: Camera, right: number, up: number, slope: Slope,
): [number, number] | null {
  ray.set(right, up, 0.5).unproject(lens).sub(lens.position);
  const above = lens.position.y - level(slope, lens.position.x, lens.position.z);
  const share = above / (level(slope, ray.x, ray.z) - ray.y);
  if (!(share > 0) || share * ray.length() > FARTHEST) return null;
  return [lens.position.x + share * ray.x, lens.position.z + share * ray.z];
}

function clamp(value: number, [low, high]: number[]): number {
  return Math.min(Math.max(value, low), high);
}
