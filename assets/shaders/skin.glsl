// Moves a vertex with the joints that it follows (linear blend skinning).

layout(location = 0) in vec3 vertex;     // in the bound pose
layout(location = 1) in vec3 outward;    // the normal there
layout(location = 2) in uvec4 followed;  // joints
layout(location = 3) in vec4 weights;    // their sum is 1, the largest first
layout(location = 4) in vec4 colour;     // square roots of red, green and blue; openness to the sky,
                                         // or of textured bodies the alpha that is still drawn
#if TEXTURED
layout(location = 5) in vec2 place_in_picture;
#endif
uniform samplerBuffer bones;             // bound pose → world, a 3×4 matrix in rows for each joint
uniform int joints;                      // of one character

// Computes a vertex's position and normal.
void place(out vec3 world, out vec3 normal) {
    int first = gl_InstanceID * joints;
    vec4 x = vec4(0.0), y = vec4(0.0), z = vec4(0.0);
#if INFLUENCES < 4
    vec4 share = weights / (weights.x + weights.y);
#else
    vec4 share = weights;
#endif
    for (int i = 0; i < INFLUENCES; i++) {
        int row = 3 * (first + int(followed[i]));
        x += share[i] * texelFetch(bones, row);
        y += share[i] * texelFetch(bones, row + 1);
        z += share[i] * texelFetch(bones, row + 2);
    }
    vec4 at = vec4(vertex, 1.0);
    world = vec3(dot(x, at), dot(y, at), dot(z, at));
    normal = normalize(vec3(dot(x.xyz, outward), dot(y.xyz, outward), dot(z.xyz, outward)));
}
