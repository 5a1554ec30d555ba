void main() {
    vec3 point, normal;
    place(point, normal);
    gl_Position = vec4((sunlight * vec4(point, 1.0)).xyz * 2.0 - 1.0, 1.0);
}
