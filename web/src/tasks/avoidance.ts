// Avoiding others, as controller/tasks/avoidance.py: the velocity nearest to the desired one that does
// not soon lead into anyone (reciprocal velocity obstacles, van den Berg et al. 2008).

const NEAREST = 6; // others that count
const SIGHT = 5; // m: others farther away do not count
const ROOM = 0.8; // m to keep between two middles
const HORIZON = 3; // s: a collision later than this does not count yet
const CAUTION = 1.2; // m/s of the desired velocity to give up for a collision one second ahead
const DIRECTIONS = 16;
const PACES = [0.35, 0.7, 1.05, 1.4]; // m/s
const AROUND = Array.from({ length: DIRECTIONS }, (_, i) => (2 * Math.PI * i) / DIRECTIONS);
const SINES = AROUND.map(Math.sin);
const COSINES = AROUND.map(Math.cos);

/** As Math.hypot, which takes many times as long. */
function size(x: number, z: number): number {
  return Math.sqrt(x * x + z * z);
}

/** 1/s: one over the time until an other at (x, z) is met at a relative velocity (u, w). */
function danger(x: number, z: number, u: number, w: number): number {
  const closing = x * u + z * w;
  const away = x * x + z * z;
  const room = away - ROOM * ROOM;
  if (room <= 0) return (10 * Math.max(closing, 0)) / Math.sqrt(Math.max(away, 1e-4));
  const square = Math.max(u * u + w * w, 1e-6);
  const root = closing * closing - square * room;
  if (root <= 0 || closing <= 0) return 0;
  const time = (closing - Math.sqrt(root)) / square;
  return time < HORIZON ? 1 / Math.max(time, 0.1) : 0;
}

/** For one of a crowd at a time, the velocity that leads where it wants to, past the others. */
export class Avoidance {
  private readonly near = new Int32Array(NEAREST);
  private readonly apart = new Float64Array(NEAREST);
  private count = 0;
  private risk = 0;
  private best = 0;
  private x = 0;
  private z = 0;

  /** Of number `who`, whose desired velocity is (x, z); places (N, 3) and velocities (N, 2). Returns
   * the velocity in `out`. */
  find(who: number, places: Float32Array, velocities: Float32Array, x: number, z: number, out: number[]): void {
    this.look(who, places);
    this.best = Infinity;
    const sine = Math.sin(places[3 * who + 2]);
    const cosine = Math.cos(places[3 * who + 2]);
    this.consider(who, places, velocities, x, z, x, z);
    if (this.risk > 0) {
      this.consider(who, places, velocities, x, z, 0, 0);
      for (const pace of PACES)
        for (let i = 0; i < DIRECTIONS; i++) {
          const u = pace * (sine * COSINES[i] + cosine * SINES[i]);
          const w = pace * (cosine * COSINES[i] - sine * SINES[i]);
          this.consider(who, places, velocities, x, z, u, w);
        }
    }
    out[0] = this.x;
    out[1] = this.z;
  }

  /** The nearest others. */
  private look(who: number, places: Float32Array): void {
    const { near, apart } = this;
    this.count = 0;
    for (let i = 0; i < places.length / 3; i++) {
      const distance = size(places[3 * i] - places[3 * who], places[3 * i + 1] - places[3 * who + 1]);
      if (i === who || distance > SIGHT || (this.count === NEAREST && distance >= apart[NEAREST - 1])) continue;
      let at = Math.min(this.count, NEAREST - 1);
      for (; at > 0 && apart[at - 1] > distance; at--) {
        apart[at] = apart[at - 1];
        near[at] = near[at - 1];
      }
      apart[at] = distance;
      near[at] = i;
      this.count = Math.min(this.count + 1, NEAREST);
    }
  }

  /** Take a velocity (u, w) if it is the best so far. Each does half of the avoiding, so a choice
   * counts as twice its change of velocity. */
  private consider(
    who: number, places: Float32Array, velocities: Float32Array, x: number, z: number, u: number, w: number,
  ): void {
    let risk = 0;
    for (let k = 0; k < this.count; k++) {
      const other = this.near[k];
      risk = Math.max(risk, danger(
        places[3 * other] - places[3 * who], places[3 * other + 1] - places[3 * who + 1],
        2 * u - velocities[2 * who] - velocities[2 * other],
        2 * w - velocities[2 * who + 1] - velocities[2 * other + 1],
      ));
    }
    const cost = size(u - x, w - z) + CAUTION * risk;
    this.risk = risk;
    if (cost >= this.best) return;
    this.best = cost;
    this.x = u;
    this.z = w;
  }
}
