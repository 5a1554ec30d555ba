// Shared by all shaders: the frame's uniforms, the light, the fog.

layout(std140) uniform Frame {
    mat4 camera;        // world → clip space
    mat4 rays;          // clip space → world
    mat4 sunlight;      // world → shadow map, all in 0..1
    vec4 eye;           // xyz: the camera; the fog's density
    vec4 sun;           // xyz: towards the sun; the ground's height at the character
    vec4 shaded[4];     // xyz: corners of the ground that the shadow map covers. w: how far below
                        // height 0 bodies are cut; x and z of the one that casts the shadow; nothing
    vec4 soles[4];      // xyz, radius: balls that darken the ground below them
};

const vec3 HORIZON = vec3(0.50, 0.57, 0.63);
const vec3 ZENITH = vec3(0.16, 0.24, 0.35);
const vec3 SUN = vec3(1.30, 1.20, 1.04);
const vec3 SKY_LIGHT = vec3(0.27, 0.33, 0.42);
const vec3 GROUND_LIGHT = vec3(0.15, 0.14, 0.14);
const vec3 FILL = vec3(0.26, 0.33, 0.45);
const vec3 RIM = vec3(0.62, 0.68, 0.78);

vec3 ambient(vec3 normal) {
    return mix(GROUND_LIGHT, SKY_LIGHT, 0.5 + 0.5 * normal.y);
}

float clear_at(float distance) {
    return exp2(-distance * distance * eye.w);
}

vec3 fogged(vec3 colour, float distance) {
    return mix(HORIZON, colour, clear_at(distance));
}

// From linear light to the screen's colour. The square root is close to sRGB's curve and cheaper.
vec3 shown(vec3 light) {
    return sqrt(light * (1.0 + light * 0.18) / (1.0 + light * 0.42));
}
