out vec3 point;
out vec3 direction;
flat out vec4 paint;
out float along;

void main() {
    along = place(point, direction);
    paint = colour;
    gl_Position = camera * vec4(point, 1.0);
    gl_ClipDistance[0] = point.y + shaded[0].w;  // flat ground has no depth that would hide more
}
