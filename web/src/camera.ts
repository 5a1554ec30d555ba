// A camera on a boom that follows the character, as controller/viewer/scene/camera.py.

import { PerspectiveCamera, Vector3 } from "three";

const FIELD_OF_VIEW = (36 * Math.PI) / 180; // vertically
const NARROWEST = 0.9; // width ÷ height: narrower pictures look wider upwards instead
const DISTANCES = [1.5, 14];
const ELEVATIONS = [(-4 * Math.PI) / 180, (85 * Math.PI) / 180];
const AIM = 0.86; // metres above the ground, or less for a small character
export const MODES = ["orbit", "chase", "above"] as const;

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
  distance = 4.4;
  height = AIM;
  private readonly boom = [new Spring(0, 0.06), new Spring(0.32, 0.06), new Spring(4.4, 0.06)];
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

  jump(x: number, z: number): void {
    [x, this.height, z].forEach((value, i) => this.follows[i].reset(value));
  }

  /** Follow a root at (x, z) that faces a yaw, for some seconds, in a picture of this shape. */
  follow(x: number, z: number, yaw: number, seconds: number, aspect: number): void {
    if (this.mode === "chase") {
      const turn = 2 * Math.PI;
      const away = yaw - this.azimuth;
      const behind = away - turn * Math.round(away / turn);
      this.azimuth += behind * (1 - 0.5 ** (seconds / 0.7));
    }
    const above = this.mode === "above";
    this.follows[0].step(x, seconds);
    this.follows[1].step(this.height, seconds);
    this.follows[2].step(z, seconds);
    this.boom[0].step(this.azimuth, seconds);
    this.boom[1].step(above ? ELEVATIONS[1] : this.elevation, seconds);
    this.boom[2].step(above ? 1.6 * this.distance : this.distance, seconds);
    const [azimuth, elevation, distance] = this.boom.map((spring) => spring.value);
    this.aim.set(this.follows[0].value, this.follows[1].value, this.follows[2].value);
    const flat = Math.cos(elevation) * distance;
    const { lens } = this;
    lens.position.set(-Math.sin(azimuth) * flat, Math.sin(elevation) * distance, -Math.cos(azimuth) * flat);
    lens.position.add(this.aim);
    lens.position.y = Math.max(lens.position.y, 0.15);
    lens.lookAt(this.aim);
    const half = Math.tan(FIELD_OF_VIEW / 2) * Math.max(1, NARROWEST / aspect);
    lens.fov = (2 * Math.atan(half) * 180) / Math.PI;
    lens.aspect = aspect;
    lens.updateProjectionMatrix();
    lens.updateMatrixWorld();
  }
}

const ray = new Vector3();
const FARTHEST = 60; // m

/** The point (x, z) of the ground at a place of the picture, each way from −1 to 1; null above the
 * horizon, and far away. */
export function groundAt({ lens }: Camera, right: number, up: number): [number, number] | null {
  ray.set(right, up, 0.5).unproject(lens).sub(lens.position);
  const share = -lens.position.y / ray.y;
  if (!(share > 0) || share * ray.length() > FARTHEST) return null;
  return [lens.position.x + share * ray.x, lens.position.z + share * ray.z];
}

function clamp(value: number, [low, high]: number[]): number {
  return Math.min(Math.max(value, low), high);
}
