/* What is drawn of characters: motion that is blended where it changes, feet that stand still, and legs on
 * ground that is tilted. Nothing of it is fed back into the simulation.
 * SPDX-License-Identifier: MIT */
#ifndef PAGE_DRAWN_H
#define PAGE_DRAWN_H

#define MOST_LEGS 8
enum { FREE, ON_TOE, ON_HEEL };
enum { SETTLED = 45 }; /* frames after which feet that were let go are where the simulation has them */
static const double STRAIGHT = 0.05; /* sine of the bend below which the hip's own hinge counts more */
static const double RESTED = 0.15;   /* share of the limits within which a foot may be held again */
static const double GONE = 1e-4;     /* m, radians: a smaller difference is none */

/* As Python's legs_of describes it: joints, then what poses show of them. */
typedef struct {
    int hip, knee, ankle, toe;
    vec forward, hinge, tip;
    double toe_stands, heel_stands, length, fastest;
    int plants;
} leg;

/* What the page passes in, in this order: FootLockConfig for legs of this length, then
 * the blend's decay, and what Standing has besides. */
typedef struct {
    double low, lifted, slow, quick, radius, angle, stop, release, sink, deepest, soft, hard, jump,
        seconds, blend, hips, deep, lean, limber;
} settings;

typedef struct {
    int seen, pivot, flat, toe_down, heel_down, tired;
    double lock_x, lock_z, lock_yaw, rest_x, rest_z, rest_yaw, speed_x, speed_z, speed_yaw;
    double shift_x, shift_z, turn, yaw, bend;
    vec toe, ankle;
} foot;

/* What is remembered of a character. Frames and differences follow it in memory. */
typedef struct {
    int shown, given, begins, blends, has_step, stood;
    double sink, sink_speed, deep, deep_speed, bend[MOST_LEGS];
    foot feet[MOST_LEGS];
} memory;

typedef struct {
    const mvae_crowd *crowd;
    settings set;
    int legs;
    leg leg[MOST_LEGS];
    int free;            /* frames since feet were let go */
    const int32_t *part; /* (J) with which thigh, shin or foot a joint turns: 3·leg + 0 to 2; or -1 */
    size_t size;         /* bytes of a character's memory */
    char *memory;
    float *root, *rotation; /* (N, 3), (N, J, 4): what is drawn, as in a crowd */
    float *frame;           /* of one character, while it is worked on */
    vec *place;             /* (J) */
    mat *world;             /* (J) */
} drawn;

#endif
