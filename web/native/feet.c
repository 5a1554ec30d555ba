/* Feet that stand still: the memory of a foot. The rules are those of controller/motion/leg_kernels.py.
 * SPDX-License-Identifier: MIT */

static int in_contact(int was, double height, double speed, const settings *set)
{
    return was ? height < set->lifted && speed < set->quick : height < set->low && speed < set->slow;
}

/* How a foot is shifted (x, z) and turned (y) if it stays held, or free, as it is. */
static vec expected(foot *s, vec toe, vec ankle, double yaw, const settings *set)
{
    double decay = s->pivot == FREE ? set->release : set->stop;
    decayed(&s->rest_x, &s->speed_x, decay, set->seconds);
    decayed(&s->rest_z, &s->speed_z, decay, set->seconds);
    decayed(&s->rest_yaw, &s->speed_yaw, s->flat ? set->stop : set->release, set->seconds);
    double turn = s->rest_yaw + (s->flat ? same_angle(s->lock_yaw - yaw) : 0);
    double x = s->rest_x, z = s->rest_z;
    if (s->pivot != FREE) {
        x += s->lock_x - toe.x;
        z += s->lock_z - toe.z;
    }
    if (s->pivot == ON_HEEL) {
        vec heel = rotated(ankle.x - toe.x, ankle.z - toe.z, turn);
        x -= heel.x;
        z -= heel.z;
    }
    return (vec){x, turn, z};
}

/* By what the foot is to be held, and whether its yaw is, too. */
static int pivot_of(foot *s, vec toe, vec ankle, double far, double turn, const leg *own,
                    const settings *set, int on, int *flat)
{
    double toe_speed = length(minus(toe, s->toe)) / set->seconds;
    double heel_speed = length(minus(ankle, s->ankle)) / set->seconds;
    s->toe_down = in_contact(s->toe_down, toe.y - own->toe_stands, toe_speed, set);
    s->heel_down = in_contact(s->heel_down, ankle.y - own->heel_stands, heel_speed, set);
    if (!(s->toe_down || s->heel_down) || (far < RESTED * set->radius && turn < RESTED * set->angle))
        s->tired = 0;
    if (far > set->radius || turn > set->angle)
        s->tired = 1;
    *flat = on && !s->tired && s->toe_down && s->heel_down;
    if (!on || s->tired)
        return FREE;
    return s->toe_down ? ON_TOE : s->heel_down && own->plants ? ON_HEEL : FREE;
}

/* Hold the foot by another pivot, or let it go: it goes on from where it is, as fast as it is. */
static void change(foot *s, vec toe, vec ankle, double yaw, vec now, int pivot, int flat,
                   const settings *set)
{
    if (pivot != s->pivot) {
        s->rest_x = now.x;
        s->rest_z = now.z;
        s->speed_x = (now.x - s->shift_x) / set->seconds;
        s->speed_z = (now.z - s->shift_z) / set->seconds;
        if (pivot != FREE) {
            vec place = {toe.x + now.x, 0, toe.z + now.z};
            vec before = {s->toe.x + s->shift_x, 0, s->toe.z + s->shift_z};
            if (pivot == ON_HEEL) {
                place = along(place, rotated(ankle.x - toe.x, ankle.z - toe.z, now.y), 1);
                vec old = rotated(s->ankle.x - s->toe.x, s->ankle.z - s->toe.z, s->turn);
                before = along(before, old, 1);
            }
            s->speed_x = (place.x - before.x) / set->seconds;
            s->speed_z = (place.z - before.z) / set->seconds;
            s->rest_x = -s->speed_x / set->stop;
            s->rest_z = -s->speed_z / set->stop;
            s->lock_x = place.x - s->rest_x;
            s->lock_z = place.z - s->rest_z;
        }
    }
    if (flat != s->flat) {
        s->rest_yaw = now.y;
        s->speed_yaw = (now.y - s->turn) / set->seconds;
        if (flat) {
            s->speed_yaw = same_angle(yaw + now.y - s->yaw - s->turn) / set->seconds;
            s->rest_yaw = -s->speed_yaw / set->stop;
            s->lock_yaw = yaw + now.y - s->rest_yaw;
        }
    }
    s->pivot = pivot;
    s->flat = flat;
}

static void hold(foot *s, vec toe, vec ankle, double yaw, const leg *own, const settings *set, int on)
{
    int flat;
    if (!s->seen || length(minus(toe, s->toe)) > set->jump) {
        memset(s, 0, sizeof *s);
        s->yaw = yaw;
        s->toe = toe;
        s->ankle = ankle;
    }
    vec now = expected(s, toe, ankle, yaw, set);
    double far = __builtin_sqrt(now.x * now.x + now.z * now.z), turn = now.y < 0 ? -now.y : now.y;
    int pivot = pivot_of(s, toe, ankle, far, turn, own, set, on, &flat);
    change(s, toe, ankle, yaw, now, pivot, flat, set);
    s->shift_x = now.x;
    s->shift_z = now.z;
    s->turn = now.y;
    s->yaw = yaw;
    s->toe = toe;
    s->ankle = ankle;
}
