/* The C runtime (controller/export/runtime) for WebAssembly, without a C library: what web pages
 * call, the few functions of libm that a step needs, and memory that only grows.
 * SPDX-License-Identifier: MIT
 *
 * `npm run wasm` compiles it; docs/web.md has the command. */
#define BLOCK 64
#define SUMS 16 /* V8 has 16 registers of four floats */
#include "../../controller/export/runtime/motion_vae.c"

#define EXPORT(name) __attribute__((export_name(name)))
#define PAGE 65536

/* libm, by series in double precision: the results are those of float32 but for their last bit. */

static double power_of_two(int exponent)
{
    union { uint64_t bits; double value; } number = {(uint64_t)(exponent + 1023) << 52};
    return number.value;
}

static double exponential(double x)
{
    if (x != x)
        return x;
    x = x < -700 ? -700 : x > 700 ? 700 : x;
    double turns = __builtin_floor(x * 1.4426950408889634 + 0.5);
    double rest = x - turns * 0.6931471805599453, sum = 1;
    for (int i = 10; i > 0; i--) /* |rest| is below 0.35 */
        sum = 1 + sum * rest / i;
    return sum * power_of_two((int)turns);
}

float expf(float x) { return (float)exponential(x); }

float tanhf(float x) { return (float)(1 - 2 / (exponential(2.0 * x) + 1)); }

/* Sine of x plus this number of quarter turns. */
static double sine_of(double x, int quarters)
{
    double turns = __builtin_floor(x * 0.6366197723675814 + 0.5);
    double rest = x - turns * 1.5707963267948966, square = rest * rest;
    int quarter = (int)((int64_t)turns + quarters) & 3;
    double sum = 1;
    if (quarter & 1) /* cosine of the rest */
        for (int i = 14; i > 0; i -= 2)
            sum = 1 - sum * square / (i * (i - 1));
    else
        for (int i = 15; i > 1; i -= 2)
            sum = 1 - sum * square / (i * (i - 1));
    return (quarter & 2 ? -sum : sum) * (quarter & 1 ? 1 : rest);
}

float sinf(float x) { return (float)sine_of(x, 0); }

float cosf(float x) { return (float)sine_of(x, 1); }

/* Of 0 to 1. Two halvings of the angle, then the series. */
static double arc_tangent(double x)
{
    for (int i = 0; i < 2; i++)
        x = x / (1 + __builtin_sqrt(1 + x * x));
    double square = x * x, sum = 0;
    for (int i = 21; i > 0; i -= 2) /* x is below 0.2 */
        sum = 1.0 / i - sum * square;
    return 4 * x * sum;
}

static double arc_tangent2(double y, double x)
{
    double up = y < 0 ? -y : y, along = x < 0 ? -x : x;
    if (up == 0 && along == 0)
        return 0;
    double angle = up <= along ? arc_tangent(up / along)
                               : 1.5707963267948966 - arc_tangent(along / up);
    angle = x < 0 ? 3.141592653589793 - angle : angle;
    return y < 0 ? -angle : angle;
}

float atan2f(float y, float x) { return (float)arc_tangent2(y, x); }

float fmaxf(float a, float b) { return a > b ? a : b; }

int memcmp(const void *a, const void *b, size_t count)
{
    const unsigned char *one = a, *other = b;
    for (size_t i = 0; i < count; i++)
        if (one[i] != other[i])
            return one[i] < other[i] ? -1 : 1;
    return 0;
}

size_t strlen(const char *text)
{
    size_t count = 0;
    while (text[count])
        count++;
    return count;
}

/* Memory */

extern unsigned char __heap_base;
static uintptr_t used;

/* Memory that begins at a multiple of 64 bytes and is never given back; NULL if there is none. */
EXPORT("allocate") void *allocate(size_t bytes)
{
    uintptr_t start = used ? used : (uintptr_t)&__heap_base;
    start = (start + MVAE_ALIGNMENT - 1) / MVAE_ALIGNMENT * MVAE_ALIGNMENT;
    uintptr_t end = start + bytes;
    size_t pages = __builtin_wasm_memory_size(0);
    if (end < start || end > (uintptr_t)0xffff0000u)
        return NULL;
    if (end > pages * PAGE &&
        __builtin_wasm_memory_grow(0, (end - pages * PAGE + PAGE - 1) / PAGE) == (size_t)-1)
        return NULL;
    used = end;
    return (void *)start;
}

EXPORT("checksum") uint32_t checksum_of(const void *bytes, size_t count)
{
    return checksum(bytes, count);
}

/* Models */

/* Widen the weights of 16 bits, which came over the wire, to 32: a step then takes half as long. */
static int widen(mvae_model *model)
{
    for (int i = 0; i < model->layers; i++) {
        mvae_layer *layer = model->layer + i;
        size_t count = nth((int)layer->rows, (int)layer->width);
        const uint16_t *halves = layer->weight;
        float *floats = allocate(count * sizeof(float));
        if (floats == NULL)
            return 0;
        for (size_t k = 0; k < count; k++) {
            union { uint32_t bits; float value; } number;
            number.bits = (uint32_t)(halves[k] & 0x7fff) << 13 | (uint32_t)(halves[k] & 0x8000) << 16;
            floats[k] = number.value * 0x1p112f;
        }
        layer->weight = floats;
    }
    model->bits = 32;
    return 1;
}

static mvae_status opening;

/* A model of a blob in this memory; NULL if the blob is refused, and open_status says why. */
EXPORT("open") mvae_model *open(const void *blob, size_t bytes)
{
    mvae_model *model = allocate(sizeof *model);
    opening = model ? mvae_open(model, blob, bytes) : MVAE_MEMORY;
    if (opening == MVAE_OK && model->bits == 16 && !widen(model))
        opening = MVAE_MEMORY;
    return opening == MVAE_OK ? model : NULL;
}

EXPORT("open_status") int open_status(void) { return opening; }

EXPORT("message") const char *message(int status) { return mvae_message((mvae_status)status); }

EXPORT("name") const char *name(const mvae_model *model, int joint)
{
    return mvae_name(model, joint);
}

EXPORT("notice") const char *notice(const mvae_model *model) { return model->notice; }

/* Sizes by number: joints, pose, styles, latent, reset poses. */
EXPORT("size") int size(const mvae_model *model, int which)
{
    const int sizes[] = {model->joints, model->pose, model->styles, model->latent,
                         model->reset_poses};
    return which >= 0 && which < 5 ? sizes[which] : 0;
}

EXPORT("rate") float rate(const mvae_model *model) { return model->rate; }

/* Arrays by number: parents, offsets, mean, std, reset poses, fastest. */
EXPORT("table") const void *table(const mvae_model *model, int which)
{
    const void *tables[] = {model->parents, model->offsets, model->mean,
                            model->std,     model->starts,  model->fastest};
    return which >= 0 && which < 6 ? tables[which] : NULL;
}

/* Crowds */

/* Characters of a model, in memory of their own; NULL if there is none. */
EXPORT("crowd") mvae_crowd *crowd(const mvae_model *model, int characters)
{
    mvae_crowd *made = allocate(sizeof *made);
    size_t bytes = mvae_size(model, characters);
    void *memory = made && bytes ? allocate(bytes) : NULL;
    return memory && mvae_init(made, model, memory, bytes, characters) == MVAE_OK ? made : NULL;
}

/* Arrays by number: pose, place, root, rotations, joints. */
EXPORT("array") float *array(const mvae_crowd *of, int which)
{
    float *const arrays[] = {of->pose, of->place, of->root, of->rotation, of->joint};
    return which >= 0 && which < 5 ? arrays[which] : NULL;
}

EXPORT("step") int step(mvae_crowd *of, const mvae_wish *wishes) { return mvae_step(of, wishes); }

EXPORT("reset") int reset(mvae_crowd *of, int character, int pose, float x, float z, float yaw)
{
    return mvae_reset(of, character, pose, x, z, yaw);
}

EXPORT("style") int style(mvae_crowd *of, int character, int number)
{
    return mvae_style(of, character, number);
}

/* `steering` has seven floats: the wish (3), its change (3), and the yaw that it turns to. */
EXPORT("steer") void steer(mvae_steering *steering, float x, float z, int turn, float seconds)
{
    mvae_steer(steering, x, z, turn, seconds);
}

/* One goes on as another one, maybe of another crowd of the same model. */
EXPORT("copy") void copy(mvae_crowd *to, int place, const mvae_crowd *from, int character)
{
    const mvae_model *model = to->model;
    float *const into[] = {to->pose, to->place, to->root, to->rotation, to->joint, to->noise};
    float *const out[] = {from->pose,     from->place, from->root,
                          from->rotation, from->joint, from->noise};
    const int widths[] = {model->pose, 3, 3, 4 * model->joints, 3 * model->joints, model->latent};
    for (int i = 0; i < 6; i++)
        memcpy(into[i] + nth(place, widths[i]), out[i] + nth(character, widths[i]),
               (size_t)widths[i] * sizeof(float));
}

/* Move all by one step with latents (N, latent) instead of the policy's. */
EXPORT("walk") void walk(mvae_crowd *crowd, const float *latents)
{
    const mvae_model *model = crowd->model;
    int size = model->pose, body = size - model->styles, controls = model->latent + model->styles;
    for (int start = 0; start < crowd->characters; start += BLOCK) {
        block of = arrays(crowd, start);
        for (int c = 0; c < of.characters; c++) {
            float *x = of.x + (size_t)c * of.stride;
            const float *pose = crowd->pose + nth(start + c, size);
            for (int i = 0; i < model->latent; i++)
                x[i] = clamped(latents[nth(start + c, model->latent) + (size_t)i], -LATENT_LIMIT,
                               LATENT_LIMIT);
            for (int i = 0; i < size; i++) /* styles before the body */
                x[i < body ? controls + i : model->latent + i - body] = pose[i];
        }
        decode(&of, crowd);
        for (int c = start; c < start + of.characters; c++) {
            move(model, crowd->pose + nth(c, size), crowd->place + 3 * c);
            place_joints(crowd, c, of.scaled);
        }
    }
}

#include "rotations.c"
#include "drawn.h"
#include "feet.c"
#include "legs.c"
#include "blend.c"
#include "drawn.c"
