// Walking up to a point, as controller/tasks/arrival.py: the wish that leads there.

const STOP_WITHIN = 0.1; // m: nearer to its point than this, a character should stand
const BRAKING = 2; // m/s²
const SOFT = 0.2; // m/s: below this speed the braking becomes gentler
const MOST_TURN = (120 * Math.PI) / 180; // a point farther round is faced as if it were here

/** The fastest speed in m/s from which a character can still stop at a distance in metres. */
export function brakingSpeed(distance: number): number {
  return Math.sqrt(2 * BRAKING * Math.max(distance - STOP_WITHIN, 0) + SOFT ** 2) - SOFT;
}

/** How much it matters to face a point at this distance, from 0 to 1. */
export function facingWeight(distance: number): number {
  return Math.min(Math.max((distance - 0.4) / 0.6, 0), 1);
}

/** The same angle in [−π, π). */
export function wrapped(angle: number): number {
  return angle - 2 * Math.PI * Math.floor((angle + Math.PI) / (2 * Math.PI));
}

/** Write the wish of number `who` to go at a speed by an offset (x, z) from where it is, and to face
 * that way as far as the `weight` says. */
export function approach(
  wish: Float32Array, places: Float32Array, who: number, x: number, z: number, speed: number,
  weight: number,
): void {
  const at = 3 * who;
  const share = speed / Math.sqrt(x * x + z * z + 1e-8);
  const yaw = places[at + 2];
  const angle = weight > 0 ? wrapped(Math.atan2(x, z) - yaw) : 0;
  wish[at] = share * x;
  wish[at + 1] = share * z;
  wish[at + 2] = yaw + weight * Math.min(Math.max(angle, -MOST_TURN), MOST_TURN);
}
