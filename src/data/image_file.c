/* image_file.c — which decoder, and resizing. */
#include "data/image_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

tc_status tc_image_decode(const uint8_t *bytes, size_t size, int channels, const char *where, tc_image *image,
                          tc_error *error) {
    if (tc_image_is_png(bytes, size)) return tc_png_decode(bytes, size, channels, where, image, error);
    if (tc_image_is_jpeg(bytes, size)) return tc_jpeg_decode(bytes, size, channels, where, image, error);
    *image = (tc_image){0};
    return tc_raise(error, TC_INVALID, "%s: neither PNG nor JPEG; convert it or take it out", where);
}

/* Target pixel i along one axis is the weighted mean of the source pixels first … first + taps − 1. */
typedef struct filter {
    int *first;    /* [target] */
    float *weight; /* [target][most]; zeros behind a row's last tap */
    int most;
} filter;

static void free_filter(filter *f) {
    free(f->first);
    free(f->weight);
}

static tc_status make_filter(int source, int target, filter *f, tc_error *error) {
    const double scale = (double)source / target, reach = scale > 1 ? scale : 1;
    tc_status status = TC_OK;
    f->most = (int)(2 * ceil(reach)) + 1;
    TC_TRY(tc_new(&f->first, (size_t)target, sizeof *f->first, error));
    TC_TRY(tc_new(&f->weight, (size_t)target * (size_t)f->most, sizeof *f->weight, error));
    for (int i = 0; i < target; i++) {
        const double centre = (i + 0.5) * scale;
        const int first = (int)fmax(0, floor(centre - reach)), last = (int)fmin(source - 1, ceil(centre + reach) - 1);
        float *weight = f->weight + (size_t)i * (size_t)f->most;
        double sum = 0;
        for (int j = first; j <= last && j - first < f->most; j++) sum += fmax(0, 1 - fabs(j + 0.5 - centre) / reach);
        for (int j = first; j <= last && j - first < f->most; j++)
            weight[j - first] = (float)(fmax(0, 1 - fabs(j + 0.5 - centre) / reach) / sum);
        f->first[i] = first;
    }
done:
    return status;
}

/* rows × [source][c] → rows × [target][c] along the middle axis; `width` is c or w·c. */
static void resample_axis(const filter *f, int rows, int source, int target, size_t width, const float *x, float *y) {
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < target; i++) {
            float *to = y + ((size_t)r * (size_t)target + (size_t)i) * width;
            const float *weight = f->weight + (size_t)i * (size_t)f->most;
            memset(to, 0, width * sizeof *to);
            for (int k = 0; k < f->most && f->first[i] + k < source; k++) {
                const float *from = x + ((size_t)r * (size_t)source + (size_t)(f->first[i] + k)) * width;
                for (size_t c = 0; c < width && weight[k] != 0; c++) to[c] += weight[k] * from[c];
            }
        }
}

tc_status tc_image_resize(const tc_image *image, const tc_image *to, tc_error *error) {
    const size_t channels = (size_t)image->channels, wide = (size_t)to->width * channels;
    const size_t count = (size_t)image->height * (size_t)image->width * channels, result = (size_t)to->height * wide;
    if (image->height == to->height && image->width == to->width) {
        memcpy(to->pixels, image->pixels, count);
        return TC_OK;
    }
    tc_status status = TC_OK;
    filter across = {0}, down = {0};
    float *source = NULL, *narrow = NULL, *small = NULL;
    TC_TRY(make_filter(image->width, to->width, &across, error));
    TC_TRY(make_filter(image->height, to->height, &down, error));
    TC_TRY(tc_new(&source, count, sizeof *source, error));
    TC_TRY(tc_new(&narrow, (size_t)image->height * wide, sizeof *narrow, error));
    TC_TRY(tc_new(&small, result, sizeof *small, error));
    for (size_t i = 0; i < count; i++) source[i] = image->pixels[i];
    resample_axis(&across, image->height, image->width, to->width, channels, source, narrow);
    resample_axis(&down, 1, image->height, to->height, wide, narrow, small);
    for (size_t i = 0; i < result; i++) to->pixels[i] = (uint8_t)lrintf(fminf(fmaxf(small[i], 0), 255));
done:
    free_filter(&across);
    free_filter(&down);
    free(source);
    free(narrow);
    free(small);
    return status;
}
