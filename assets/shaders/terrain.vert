layout(location = 0) in vec3 place;
out vec3 point;

void main() {
    point = place;
    gl_Position = camera * vec4(place, 1.0);
}
