/* generate.h — what the generated sets share: an image is a function of the set's name, its split and its number.
 *
 * No seed enters: the same name means the same images for everybody, so results on them can be compared. */
#ifndef TC_DATA_GENERATE_H
#define TC_DATA_GENERATE_H

#include "data/reader.h"

typedef struct tc_generator {
    const char *name;
    int side, channels, classes;
    const char *const *class_names;                            /* [classes] */
    void (*draw)(tc_stream stream, int class, uint8_t *image); /* image: [side][side][channels] */
} tc_generator;

/* Both splits, classes taking turns; as many a class as the options ask for, else 500 and 100. */
tc_status tc_generate(const tc_generator *generator, const tc_dataset_options *options, tc_dataset *dataset,
                      tc_error *error);

double tc_draw_between(tc_stream *stream, double low, double high);
/* Adds noise of standard deviation sigma (the sum of four bytes, nearly normal) to `count` pixels, within 0 … 255. */
void tc_add_noise(tc_stream stream, float sigma, size_t count, uint8_t *pixels);

#endif
