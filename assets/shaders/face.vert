// A rectangle: a corner, the two edges from there, and a colour. body.frag shades it.

layout(location = 0) in vec4 corner;
layout(location = 1) in vec4 first;
layout(location = 2) in vec4 second;
layout(location = 3) in vec4 colour;
out vec3 point;
out vec3 direction;
flat out vec4 paint;
out float along;

void main() {
    point = corner.xyz + first.xyz * float(gl_VertexID & 1) + second.xyz * float(gl_VertexID >> 1);
    direction = normalize(cross(first.xyz, second.xyz));
    paint = colour;
    along = 0.0;
    gl_Position = camera * vec4(point, 1.0);
    gl_ClipDistance[0] = point.y + 1e-3 + shaded[0].w;
}
