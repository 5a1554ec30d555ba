// Turns a unit capsule into a rounded cone: two spheres, and the cone that is tangent to both.

layout(location = 0) in vec4 vertex;   // cos, sin around the axis; latitude 0..1 in its half; half
layout(location = 1) in vec4 row_x;    // part → world, a 3×4 matrix in rows
layout(location = 2) in vec4 row_y;
layout(location = 3) in vec4 row_z;
layout(location = 4) in vec4 shape;    // radius at the start, at the end, length, depth ÷ width
layout(location = 5) in vec4 colour;   // and the length of the dark cuff at the start

// Computes a vertex's position and normal. Returns its distance along the part, which is negative
// on the cap at the start.
float place(out vec3 world, out vec3 normal) {
    float tilt = asin(clamp((shape.x - shape.y) / max(shape.z, 1e-4), -0.98, 0.98));
    float quarter = 1.5707963;
    float latitude = vertex.w < 0.5 ? mix(-quarter, tilt, vertex.z) : mix(tilt, quarter, vertex.z);
    vec3 direction = vec3(vertex.x * cos(latitude), sin(latitude), vertex.y * cos(latitude));
    vec3 local = direction * mix(shape.x, shape.y, vertex.w) + vec3(0.0, shape.z * vertex.w, 0.0);
    local.z *= shape.w;
    direction.z /= shape.w;
    mat3 turn = transpose(mat3(row_x.xyz, row_y.xyz, row_z.xyz));
    world = turn * local + vec3(row_x.w, row_y.w, row_z.w);
    normal = normalize(turn * direction);
    return local.y;
}
