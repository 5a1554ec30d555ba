// A flat mark on the ground: (x, z, yaw, extent) and (red, green, blue, width).
// Extent is an arrow's length or a ring's radius; width is half an arrow's thickness, or negative for a ring.

out vec2 at;
out vec2 ground;
flat out vec3 colour;
flat out float extent;
flat out float width;

void main() {
    vec4 mark = marks[2 * gl_InstanceID], paint = marks[2 * gl_InstanceID + 1];
    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    at = paint.w < 0.0
        ? (corner * 2.0 - 1.0) * (mark.w + 0.3)
        : vec2(mix(-0.15, 0.15, corner.x), mix(-0.05, mark.w + 0.05, corner.y));
    float s = sin(mark.z), c = cos(mark.z);
    ground = mark.xy + vec2(c * at.x + s * at.y, c * at.y - s * at.x);
    colour = paint.rgb;
    extent = mark.w;
    width = paint.w;
    gl_Position = camera * vec4(ground.x, 0.004, ground.y, 1.0);
}
