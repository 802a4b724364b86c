/* study.h — a whole study from its spec, as `tocsin run` does it (docs/spec.md). */
#ifndef TOCSIN_STUDY_H
#define TOCSIN_STUDY_H

#include "tocsin/hooks.h"

#ifdef __cplusplus
extern "C" {
#endif

/* spec: a YAML file, or NULL for the defaults. changes: settings over it, as "threat.epsilon=8". folder: gets
 * results.json, report.html, spec.resolved.yaml and the poisons; what an earlier study left there is refused unless
 * `overwrite`. Everything that can be wrong with the spec or the data is found before anything is written. hooks may be
 * NULL; when stopped, what was finished is kept. Where a training diverges the rest is run and reported all the same,
 * and TOCSIN_FAILED says how much was given up. */
TOCSIN_API tocsin_status tocsin_study(const char *spec, const char *const *changes, const char *folder, bool overwrite,
                                      const tocsin_hooks *hooks, tocsin_error *error);

#ifdef __cplusplus
}
#endif
#endif
