/* The minimum of the upper envelope of planes, by the simplex method on its linear dual. See cutting_planes.py. */

#include "program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Solve `matrix` x = each of `count` right-hand sides, in place, by elimination with partial pivoting.

   matrix: float64 (n, n). right: float64 (n, count). Returns 0 if the matrix is singular. */
static int solve(int64_t n, double *matrix, int64_t count, double *right)
{
    for (int64_t c = 0; c < n; c++) {
        int64_t pivot = c;
        for (int64_t r = c + 1; r < n; r++)
            if (fabs(matrix[r * n + c]) > fabs(matrix[pivot * n + c]))
                pivot = r;
        if (matrix[pivot * n + c] == 0.0)
            return 0;
        if (pivot != c) {
            for (int64_t j = 0; j < n; j++) {
                double moved = matrix[c * n + j];
                matrix[c * n + j] = matrix[pivot * n + j];
                matrix[pivot * n + j] = moved;
            }
            for (int64_t j = 0; j < count; j++) {
                double moved = right[c * count + j];
                right[c * count + j] = right[pivot * count + j];
                right[pivot * count + j] = moved;
            }
        }
        for (int64_t r = c + 1; r < n; r++) {
            double factor = matrix[r * n + c] / matrix[c * n + c];
            if (factor == 0.0)
                continue;
            for (int64_t j = c; j < n; j++)
                matrix[r * n + j] -= factor * matrix[c * n + j];
            for (int64_t j = 0; j < count; j++)
                right[r * count + j] -= factor * right[c * count + j];
        }
    }
    for (int64_t c = n - 1; c >= 0; c--)
        for (int64_t j = 0; j < count; j++) {
            double left = right[c * count + j];
            for (int64_t k = c + 1; k < n; k++)
                left -= matrix[c * n + k] * right[k * count + j];
            right[c * count + j] = left / matrix[c * n + c];
        }
    return 1;
}

/* Run the simplex method from `basis`, which is replaced by the last one.

   columns: float64 (count, n). objective: float64 (count,). basis: int64 (n,). right, prices: float64 (n,).
   Returns DONE, or NO_MEMORY, or LIMIT if a basis is singular. */
EXPORT int reds_lowest(int64_t count, int64_t n, const double *columns, const double *objective, int64_t *basis,
                       const double *right, int64_t pivots, double tolerance, double smallest, double *prices)
{
    double *matrix = malloc((size_t)(n * n + 2 * n) * sizeof(double));
    if (!matrix)
        return NO_MEMORY;
    double *both = matrix + n * n;
    int status = DONE;
    for (int64_t i = 0; i < n; i++)
        prices[i] = 0.0;
    for (; pivots > 0; pivots--) {
        for (int64_t b = 0; b < n; b++) {
            memcpy(matrix + b * n, columns + basis[b] * n, (size_t)n * sizeof(double));
            prices[b] = objective[basis[b]];
        }
        if (!solve(n, matrix, 1, prices)) {
            status = LIMIT;
            break;
        }
        int64_t entering = -1;
        double most = -INFINITY;
        for (int64_t c = 0; c < count; c++) {
            double reduced = objective[c];
            for (int64_t i = 0; i < n; i++)
                reduced -= prices[i] * columns[c * n + i];
            for (int64_t b = 0; b < n; b++)
                if (basis[b] == c)
                    reduced = 0.0;
            if (reduced > most) {
                most = reduced;
                entering = c;
            }
        }
        if (most <= tolerance * fmax(1.0, fabs(prices[0])))
            break;
        for (int64_t i = 0; i < n; i++) {
            for (int64_t b = 0; b < n; b++)
                matrix[i * n + b] = columns[basis[b] * n + i];
            both[2 * i] = right[i];
            both[2 * i + 1] = columns[entering * n + i];
        }
        if (!solve(n, matrix, 2, both)) {
            status = LIMIT;
            break;
        }
        int64_t leaving = -1;
        double least = INFINITY;
        for (int64_t i = 0; i < n; i++)
            if (both[2 * i + 1] > smallest && both[2 * i] / both[2 * i + 1] < least) {
                least = both[2 * i] / both[2 * i + 1];
                leaving = i;
            }
        if (leaving < 0)
            break;
        basis[leaving] = entering;
    }
    free(matrix);
    return status;
}
