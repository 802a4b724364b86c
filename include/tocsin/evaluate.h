/* evaluate.h — what a model makes of images: in evaluation mode, normalised as the dataset says. */
#ifndef TOCSIN_EVALUATE_H
#define TOCSIN_EVALUATE_H

#include "tocsin/dataset.h"
#include "tocsin/device.h"
#include "tocsin/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of `count` images in the dataset's shape. predicted: [count], the class of the largest logit; logits:
 * [count][classes]. Either may be NULL. */
TOCSIN_API tocsin_status tocsin_predict(tocsin_device *device, const tocsin_model *model, const tocsin_dataset *dataset,
                                        const uint8_t *images, size_t count, int32_t *predicted, float *logits,
                                        tocsin_error *error);

/* Over a split: *accuracy := the share classified rightly, 0 … 1; *loss := the mean cross-entropy. Either may be NULL.
 */
TOCSIN_API tocsin_status tocsin_evaluate(tocsin_device *device, const tocsin_model *model,
                                         const tocsin_dataset *dataset, tocsin_split split, double *accuracy,
                                         double *loss, tocsin_error *error);

#ifdef __cplusplus
}
#endif
#endif
