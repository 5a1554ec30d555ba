// A rectangle. Pixels count from the upper left corner of the window.

uniform vec4 place;    // left, top, width, height
uniform vec2 window;   // width, height
out vec2 at;

void main() {
    at = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    vec2 point = (place.xy + at * place.zw) / window;
    gl_Position = vec4(point.x * 2.0 - 1.0, 1.0 - point.y * 2.0, 0.0, 1.0);
}
