// Steps of a fixed length, at any screen rate.

const LONGEST = 0.25; // s: after a longer break the rest is dropped

export class Clock {
  private waiting = 0;

  constructor(readonly step: number) {}

  /** Let seconds pass, and return the number of steps that are due. */
  advance(seconds: number): number {
    this.waiting += Math.min(Math.max(seconds, 0), LONGEST);
    const due = Math.floor(this.waiting / this.step + 1e-9);
    this.waiting = Math.max(this.waiting - due * this.step, 0);
    return due;
  }

  /** The part of a step, 0 to 1, that has passed since the last one. */
  get share(): number {
    return Math.min(this.waiting / this.step, 1);
  }
}
