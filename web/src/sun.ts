// The sun, and the part of the world that its shadow map covers, as controller/viewer/gl/sun.py.

import { Matrix4, OrthographicCamera, Vector3, Vector4 } from "three";

/** Metres from the shadow map's middle to its edge. */
export const HALF = 1.15;
const UP = new Vector3(0, 1, 0);
export const TOWARDS = new Vector3(0.42, 0.8, -0.43).normalize();
const MIDDLE = new Vector3(0, 0.85, 0);
const TO_UNIT = new Matrix4().set(0.5, 0, 0, 0.5, 0, 0.5, 0, 0.5, 0, 0, 0.5, 0.5, 0, 0, 0, 1);
const ACROSS = new Vector3().crossVectors(UP, TOWARDS).normalize();
const ALONG = new Vector3().crossVectors(UP, ACROSS).divideScalar(TOWARDS.y);
const CORNERS = [[-1, -1], [1, -1], [-1, 1], [1, 1]].map(([x, z]) =>
  MIDDLE.clone()
    .addScaledVector(TOWARDS, -MIDDLE.y / TOWARDS.y)
    .addScaledVector(ACROSS, HALF * x)
    .addScaledVector(ALONG, HALF * z));

const lamp = new OrthographicCamera(-HALF, HALF, HALF, -HALF, 1, 9);
const middle = new Vector3();

/** Write the view of the world (each axis in 0..1), and the corners of the ground that it covers,
 * around a character at (x, z). */
export function shine(x: number, z: number, view: Matrix4, corners: Vector4[]): void {
  middle.set(x, MIDDLE.y, z);
  lamp.position.copy(middle).addScaledVector(TOWARDS, 5);
  lamp.lookAt(middle);
  lamp.updateMatrixWorld();
  view.multiplyMatrices(TO_UNIT, lamp.projectionMatrix).multiply(lamp.matrixWorldInverse);
  const last = [0, x, z, 0]; // the shaders read the place of the one that casts the shadow here
  CORNERS.forEach((corner, i) => corners[i].set(corner.x + x, 0, corner.z + z, last[i]));
}
