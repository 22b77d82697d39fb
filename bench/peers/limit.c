/* The limit: gradient descent by equation (4) of Xu & Du (2023), written for one machine and one method.
 *
 * LANES runs fill a vector, GROUPS vectors are carried through each step side by side, so that a short chain of
 * operations does not wait for itself. The teacher is |v| e1, and hi = wi1, zi = (wi2, ..., wid).
 *
 * A step is one matrix product. With c = 1/(2 pi) and si = sum_j |wj| sin tij - |v| sin ti, equation (4) is
 *     w - lr grad = M w + e1 |v| lr (1/2 - c ti),
 *     Mij = lr (c tij - 1/2),  Mii = 1 - lr/2 - lr c si / |wi|,
 * and M is independent from run to run: a vector an entry. Angles come from chords, m2 = |ui - uj|^2 and p2 = 4 - m2
 * of the unit vectors u: sin^2 t = m2 p2 / 4 keeps the digits of small angles, and one root serves sine and angle.
 * The first coordinates of u differ by versines, never by cosines.
 *
 * GROUPS, and N and D where the shape is to be known to the compiler, are given with -D. No logging, one core.
 */
#include <math.h>
#include <stddef.h>

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#ifdef __AVX512F__
enum { LANES = 8 };
typedef double vector __attribute__((vector_size(64)));
typedef long long mask __attribute__((vector_size(64)));
static inline vector root(vector x) { return _mm512_sqrt_pd(x); }
static inline int any(mask m) { return _mm512_test_epi64_mask((__m512i)m, (__m512i)m) != 0; }
#elif defined(__AVX2__)
enum { LANES = 4 };
typedef double vector __attribute__((vector_size(32)));
typedef long long mask __attribute__((vector_size(32)));
static inline vector root(vector x) { return _mm256_sqrt_pd(x); }
static inline int any(mask m) { return _mm256_movemask_pd((__m256d)m) != 0; }
#else
enum { LANES = 2 };
typedef double vector __attribute__((vector_size(16)));
typedef long long mask __attribute__((vector_size(16)));
static inline vector root(vector x) { return (vector){sqrt(x[0]), sqrt(x[1])}; }
static inline int any(mask m) { return (m[0] | m[1]) != 0; }
#endif

/* Held in a register: the compiler would load it anew for every use, and loads are what a tile runs out of. */
#ifdef __AVX2__
#define HOLD(x) __asm__("" : "+v"(x))
#else
#define HOLD(x) (void)(x)
#endif

#define INLINE static inline __attribute__((always_inline))
#define EACH(q, count) _Pragma("GCC unroll 16") for (int q = 0; q < (count); q++)

INLINE vector choose(mask m, vector a, vector b) { return (vector)(((mask)a & m) | ((mask)b & ~m)); }

/* (asin(y)/y - 1)/y^2 as a polynomial in y^2, interpolated at Chebyshev points of [0, 1/16] and [0, 1/2]; the
 * relative error of the angle is below 1e-17 and 1e-16. */
static const double SHORT[] = {
    0.16666666666666657, 0.07500000000017688, 0.04464285708355042, 0.03038195200409539, 0.022371687216026347,
    0.017368686775692064, 0.013669798147060716, 0.014337761921532908};
static const double LONG[] = {
    0.1666666666666666, 0.07500000000008983, 0.04464285712358516, 0.030381946078023858, 0.022372086303686842,
    0.017354730668996843, 0.013929824301362788, 0.011985559032731258, 0.0058919623838489124, 0.033823977477227554,
    -0.1174784139555458, 0.46581061083892006, -1.258681300394588, 2.573508064401593, -3.7415993002001366,
    3.7316474816315224, -2.277990489441633, 0.6629475548369097};

enum { SIDE = 2 }; /* angles at a time: their chains of operations overlap */

/* y <- asin y, with x = y^2, SIDE at a time; the number of terms is known to the compiler. */
INLINE void arcsine(vector *y, const vector *x, const double *terms, int count) {
  vector p[SIDE];
  EACH(q, SIDE) p[q] = terms[count - 1] + (vector){0};
  _Pragma("GCC unroll 32") for (int k = count - 2; k >= 0; k--) EACH(q, SIDE) p[q] = p[q] * x[q] + terms[k];
  EACH(q, SIDE) y[q] += y[q] * x[q] * p[q];
}

/* Replace the squared chords of SIDE angles, m2 to the vector and p2 to its opposite, by angle and sine. */
INLINE void angles(vector *m2, vector *p2) {
  vector x[SIDE], y[SIDE];
  mask wide = {0};
  EACH(q, SIDE) x[q] = 0.25 * m2[q] * p2[q];
  EACH(q, SIDE) wide |= (x[q] > 0.0625) | (m2[q] > 2.0);
  EACH(q, SIDE) p2[q] = y[q] = root(x[q]);
  if (__builtin_expect(any(wide), 0)) { /* beyond 45 degrees by the cosine, beyond 135 by the supplement */
    vector z[SIDE];
    EACH(q, SIDE) y[q] = choose(x[q] > 0.5, 1.0 - 0.5 * m2[q], y[q]);
    EACH(q, SIDE) z[q] = y[q] * y[q];
    arcsine(y, z, LONG, sizeof LONG / sizeof *LONG);
    EACH(q, SIDE) {
      vector blunt = choose(m2[q] > 2.0, M_PI - y[q], y[q]);
      m2[q] = choose(x[q] > 0.5, M_PI_2 - y[q], blunt);
    }
  } else {
    arcsine(y, x, SHORT, sizeof SHORT / sizeof *SHORT);
    EACH(q, SIDE) m2[q] = y[q];
  }
}

/* Squared chords between u[i] and u[j], ..., u[j + count - 1]; u's first coordinate is the versine. */
INLINE void chords(const vector *u, int d, int i, int j, int count, vector *m2, vector *p2) {
  vector sum[4 * GROUPS];
  mask far = {0};
  EACH(q, count * GROUPS) sum[q] = (vector){0};
  for (int k = 0; k < d; k++) EACH(g, GROUPS) {
    vector x = u[(i * d + k) * GROUPS + g];
    HOLD(x);
    EACH(q, count) {
      vector a = x - u[((j + q) * d + k) * GROUPS + g];
      sum[q * GROUPS + g] += a * a;
    }
  }
  EACH(q, count * GROUPS) {
    m2[q] = sum[q];
    p2[q] = 4.0 - sum[q];
    far |= sum[q] > 3.0;
  }
  if (__builtin_expect(any(far), 0)) /* nearly opposite: the difference would cancel */
    for (int q = 0; q < count; q++) for (int g = 0; g < GROUPS; g++) {
      vector a = 2.0 - u[i * d * GROUPS + g] - u[(j + q) * d * GROUPS + g], total = a * a;
      for (int k = 1; k < d; k++) {
        a = u[(i * d + k) * GROUPS + g] + u[((j + q) * d + k) * GROUPS + g];
        total += a * a;
      }
      p2[q * GROUPS + g] = choose(m2[q * GROUPS + g] > 3.0, total, p2[q * GROUPS + g]);
    }
}

/* A tile of the product M w, its sums in registers: rows i, ... and columns k, ... of next. */
INLINE void tile(const vector *m, const vector *w, vector *next, const vector *push, int n, int d, int i, int k,
                 int rows, int columns, int g) {
  vector sum[4][3];
  EACH(a, rows) EACH(b, columns) sum[a][b] = k + b == 0 ? push[(i + a) * GROUPS + g] : (vector){0};
  for (int j = 0; j < n; j++) {
    vector x[3];
    EACH(b, columns) x[b] = w[(j * d + k + b) * GROUPS + g];
    EACH(b, columns) HOLD(x[b]);
    EACH(a, rows) {
      vector t = m[((i + a) * n + j) * GROUPS + g];
      HOLD(t);
      EACH(b, columns) sum[a][b] += t * x[b];
    }
  }
  EACH(a, rows) EACH(b, columns) next[((i + a) * d + k + b) * GROUPS + g] = sum[a][b];
}

/* Four rows or fewer, three columns a tile: twelve sums and their factors fill sixteen registers. */
INLINE void rows_of(const vector *m, const vector *w, vector *next, const vector *push, int n, int d, int i, int rows,
                    int g) {
  int k = 0;
  for (; k + 3 <= d; k += 3) tile(m, w, next, push, n, d, i, k, rows, 3, g);
  if (d - k == 2) tile(m, w, next, push, n, d, i, k, rows, 2, g);
  if (d - k == 1) tile(m, w, next, push, n, d, i, k, rows, 1, g);
}

INLINE void product(const vector *m, const vector *w, vector *next, const vector *push, int n, int d) {
  for (int g = 0; g < GROUPS; g++) {
    int i = 0;
    for (; i + 4 <= n; i += 4) rows_of(m, w, next, push, n, d, i, 4, g);
    if (n - i == 3) rows_of(m, w, next, push, n, d, i, 3, g);
    if (n - i == 2) rows_of(m, w, next, push, n, d, i, 2, g);
    if (n - i == 1) rows_of(m, w, next, push, n, d, i, 1, g);
  }
}

/* How many runs are carried at once, and how many doubles of room limit_descend needs. */
int limit_runs(void) { return LANES * GROUPS; }
size_t limit_room(int n, int d) {
  size_t pairs = (size_t)n * (n - 1) / 2;
  return (size_t)LANES * (GROUPS * (2 * (size_t)n * d + (size_t)n * n + 4 * (size_t)n + 2 * (pairs + n)) + 2 * SIDE);
}

/* `steps` steps of gradient descent on w[n][d][runs], in place; w and room lie on multiples of 64 bytes. */
void limit_descend(double *start, int n_given, int d_given, double teacher, double lr, long steps, double *room) {
#ifdef N
  const int n = N, d = D;
  (void)n_given, (void)d_given;
#else
  const int n = n_given, d = d_given;
#endif
  const int pairs = n * (n - 1) / 2, all = (pairs + n) * GROUPS;
  const double c = lr / (2 * M_PI);
  vector *w = (vector *)start, *next = (vector *)room, *u = next + n * d * GROUPS, *m = u + n * d * GROUPS;
  vector *norm = m + n * n * GROUPS, *inverse = norm + n * GROUPS, *swing = inverse + n * GROUPS;
  vector *push = swing + n * GROUPS, *m2 = push + n * GROUPS, *p2 = m2 + all + SIDE;
  for (int q = all; q < all + SIDE; q++) m2[q] = p2[q] = (vector){0};

  for (long step = 0; step < steps; step++) {
    for (int i = 0; i < n; i++) EACH(g, GROUPS) { /* the angle to the teacher goes behind those of the pairs */
      vector zz = {0}, h = w[i * d * GROUPS + g];
      for (int k = 1; k < d; k++) zz += w[(i * d + k) * GROUPS + g] * w[(i * d + k) * GROUPS + g];
      vector length = root(h * h + zz);
      mask behind = h < 0.0;
      vector reach = length + choose(behind, -h, h);
      vector once = 1.0 / (length * reach); /* the only division */
      vector near = zz * once, other = 2.0 - near; /* nothing cancels */
      vector versine = choose(behind, other, near);
      norm[i * GROUPS + g] = length;
      inverse[i * GROUPS + g] = once * reach;
      m2[(pairs + i) * GROUPS + g] = 2.0 * versine;
      p2[(pairs + i) * GROUPS + g] = 2.0 * choose(behind, near, other);
      u[i * d * GROUPS + g] = versine;
      for (int k = 1; k < d; k++) u[(i * d + k) * GROUPS + g] = w[(i * d + k) * GROUPS + g] * inverse[i * GROUPS + g];
    }
    for (int i = 1, at = 0; i < n; i++) {
      int j = 0;
      for (; j + 4 <= i; j += 4, at += 4 * GROUPS) chords(u, d, i, j, 4, m2 + at, p2 + at);
      if (i - j == 3) chords(u, d, i, j, 3, m2 + at, p2 + at);
      if (i - j == 2) chords(u, d, i, j, 2, m2 + at, p2 + at);
      if (i - j == 1) chords(u, d, i, j, 1, m2 + at, p2 + at);
      at += (i - j) * GROUPS;
    }
    for (int q = 0; q < all; q += SIDE) angles(m2 + q, p2 + q);
    for (int i = 0; i < n; i++) EACH(g, GROUPS) {
      swing[i * GROUPS + g] = -teacher * p2[(pairs + i) * GROUPS + g];
      push[i * GROUPS + g] = teacher * (0.5 * lr - c * m2[(pairs + i) * GROUPS + g]);
    }
    for (int i = 1, at = 0; i < n; i++) {
      vector own[GROUPS], length[GROUPS];
      EACH(g, GROUPS) own[g] = swing[i * GROUPS + g];
      EACH(g, GROUPS) length[g] = norm[i * GROUPS + g];
      for (int j = 0; j < i; j++, at += GROUPS) EACH(g, GROUPS) {
        vector entry = c * m2[at + g] - 0.5 * lr, sine = p2[at + g];
        m[(i * n + j) * GROUPS + g] = m[(j * n + i) * GROUPS + g] = entry;
        own[g] += sine * norm[j * GROUPS + g];
        swing[j * GROUPS + g] += sine * length[g];
      }
      EACH(g, GROUPS) swing[i * GROUPS + g] = own[g];
    }
    for (int i = 0; i < n; i++) EACH(g, GROUPS)
      m[(i * n + i) * GROUPS + g] = 1.0 - 0.5 * lr - c * swing[i * GROUPS + g] * inverse[i * GROUPS + g];
    product(m, w, next, push, n, d);
    vector *other = w;
    w = next;
    next = other;
  }
  if (w != (vector *)start) for (int q = 0; q < n * d * GROUPS; q++) next[q] = w[q];
}
