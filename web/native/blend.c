/* Inertialised blends, as controller/motion/inertialise.py. Frames are the root (3) and all rotations in
 * the world (J, 9), differences the root (3) and rotation vectors (J, 3).
 * SPDX-License-Identifier: MIT */

enum { SHOWN, BEFORE, GIVEN, APART, SPEED, STEP }; /* what follows a character's memory */

static float *part_of(const drawn *d, int character, int which)
{
    size_t joints = (size_t)d->crowd->model->joints, frame = 3 + 9 * joints, apart = 3 + 3 * joints;
    size_t at = which <= APART ? (size_t)which * frame : 3 * frame + (size_t)(which - APART) * apart;
    return (float *)(d->memory + (size_t)character * d->size + sizeof(memory)) + at;
}

static mat matrix(const float *m)
{
    return (mat){{{m[0], m[1], m[2]}, {m[3], m[4], m[5]}, {m[6], m[7], m[8]}}};
}

static void flatten(mat m, float *out)
{
    for (int i = 0; i < 3; i++) {
        out[3 * i] = (float)m.row[i].x;
        out[3 * i + 1] = (float)m.row[i].y;
        out[3 * i + 2] = (float)m.row[i].z;
    }
}

/* How far the root rises, and how each joint turns. Where the root is does not count. */
static void difference(int joints, const float *from, const float *to, float *out)
{
    out[0] = out[2] = 0;
    out[1] = to[1] - from[1];
    for (int j = 0; j < joints; j++) {
        mat m = times(matrix(to + 3 + 9 * j), transposed(matrix(from + 3 + 9 * j)));
        vec v = to_vector(m);
        out[3 + 3 * j] = (float)v.x;
        out[4 + 3 * j] = (float)v.y;
        out[5 + 3 * j] = (float)v.z;
    }
}

static void moved(int joints, const float *frame, const float *apart, float *out)
{
    for (int i = 0; i < 3; i++)
        out[i] = frame[i] + apart[i];
    for (int j = 0; j < joints; j++) {
        const float *v = apart + 3 + 3 * j;
        mat m = times(from_vector((vec){v[0], v[1], v[2]}), matrix(frame + 3 + 9 * j));
        flatten(m, out + 3 + 9 * j);
    }
}

/* Blend the frame of a character where its motion has changed. */
static void blend(drawn *d, int character, memory *own, float *frame)
{
    int joints = d->crowd->model->joints, count = 3 + 3 * joints;
    size_t bytes = (3 + 9 * (size_t)joints) * sizeof(float);
    float *shown = part_of(d, character, SHOWN), *before = part_of(d, character, BEFORE);
    float *given = part_of(d, character, GIVEN), *apart = part_of(d, character, APART);
    float *speed = part_of(d, character, SPEED), *step = part_of(d, character, STEP);
    if (own->begins) {
        const float *goes_on = shown;
        own->has_step = own->given > 1;
        if (own->has_step) { /* where the old motion would be now */
            difference(joints, before, shown, step);
            moved(joints, shown, step, before);
            goes_on = before;
        }
        difference(joints, frame, goes_on, apart);
        memset(speed, 0, (size_t)count * sizeof(float));
        own->blends = 1;
        own->begins = 0;
    } else if (own->blends) {
        if (own->has_step) { /* only now is known how fast the new motion is */
            difference(joints, given, frame, speed);
            for (int i = 0; i < count; i++)
                speed[i] = (step[i] - speed[i]) / (float)d->set.seconds;
            own->has_step = 0;
        }
        double largest = 0;
        for (int i = 0; i < count; i++) {
            double value = apart[i], change = speed[i];
            decayed(&value, &change, d->set.blend, d->set.seconds);
            largest = most(largest, most(value < 0 ? -value : value, change < 0 ? -change : change));
            apart[i] = (float)value;
            speed[i] = (float)change;
        }
        own->blends = largest >= GONE;
    }
    memcpy(before, shown, bytes);
    memcpy(given, frame, bytes);
    if (own->blends)
        moved(joints, given, apart, frame);
    memcpy(shown, frame, bytes);
    own->given += own->given < 2;
    own->shown = 1;
}
