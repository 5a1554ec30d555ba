/* Vectors and rotations, in double precision.
 * SPDX-License-Identifier: MIT */

typedef struct { double x, y, z; } vec;
typedef struct { vec row[3]; } mat;

static const double HALF_TURN = 3.141592653589793;

static vec minus(vec a, vec b) { return (vec){a.x - b.x, a.y - b.y, a.z - b.z}; }
static vec along(vec a, vec b, double s) { return (vec){a.x + s * b.x, a.y + s * b.y, a.z + s * b.z}; }
static double dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static double length(vec a) { return __builtin_sqrt(dot(a, a)); }

static vec cross(vec a, vec b)
{
    return (vec){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}

static double least(double a, double b) { return a < b ? a : b; }
static double most(double a, double b) { return a > b ? a : b; }
static double within(double x, double low, double high) { return least(most(x, low), high); }

static vec unit(vec a)
{
    double scale = 1 / most(length(a), 1e-12);
    return (vec){scale * a.x, scale * a.y, scale * a.z};
}

static double arc_tangent2(double y, double x);
static double arc_cosine(double x)
{
    x = within(x, -1, 1);
    return arc_tangent2(__builtin_sqrt(1 - x * x), x);
}

static double same_angle(double angle)
{
    return angle - 2 * HALF_TURN * __builtin_floor((angle + HALF_TURN) / (2 * HALF_TURN));
}

static vec of(mat m, vec v) { return (vec){dot(m.row[0], v), dot(m.row[1], v), dot(m.row[2], v)}; }

static mat transposed(mat m)
{
    return (mat){{{m.row[0].x, m.row[1].x, m.row[2].x},
                  {m.row[0].y, m.row[1].y, m.row[2].y},
                  {m.row[0].z, m.row[1].z, m.row[2].z}}};
}

static mat times(mat m, mat n)
{
    n = transposed(n);
    mat out;
    for (int i = 0; i < 3; i++)
        out.row[i] = of(n, m.row[i]);
    return out;
}

static mat turned_by(double w, vec v)
{
    double scale = 1 / most(__builtin_sqrt(w * w + dot(v, v)), 1e-12);
    w *= scale;
    double x = scale * v.x, y = scale * v.y, z = scale * v.z;
    return (mat){{{1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)},
                  {2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)},
                  {2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)}}};
}

/* The smallest rotation from one direction to another. */
static mat between(vec source, vec target)
{
    vec a = unit(source), b = unit(target);
    return turned_by(1 + dot(a, b), cross(a, b));
}

static mat from_vector(vec v)
{
    double half = length(v) / 2, share = half > 1e-8 ? sine_of(half, 0) / (2 * half) : 0.5;
    return turned_by(sine_of(half, 1), along((vec){0, 0, 0}, v, share));
}

static vec to_vector(mat m)
{
    float flat[9], q[4];
    for (int i = 0; i < 3; i++) {
        flat[3 * i] = (float)m.row[i].x;
        flat[3 * i + 1] = (float)m.row[i].y;
        flat[3 * i + 2] = (float)m.row[i].z;
    }
    quaternion(flat, q);
    vec v = {q[0], q[1], q[2]};
    double size = length(v);
    return along((vec){0, 0, 0}, v, size > 1e-8 ? 2 * arc_tangent2(size, q[3]) / size : 2);
}

/* A critically damped spring towards 0. */
static void decayed(double *value, double *speed, double decay, double seconds)
{
    double push = *speed + decay * *value, left = exponential(-decay * seconds);
    *value = left * (*value + push * seconds);
    *speed = left * (*speed - decay * push * seconds);
}

static vec rotated(double x, double z, double angle)
{
    double c = sine_of(angle, 1), s = sine_of(angle, 0);
    return (vec){c * x + s * z, 0, c * z - s * x};
}
