# Jobs that share a GPU are threads of one process (src/experiment/crew/home.c): studies that go through every attack and
# every defence, under the thread sanitizer, in a build that has it (./dev test --long). $2: a plug-in that passes the
# processor off as GPUs (lent_gpu.c), here one for three jobs.
case $2 in /*) lent=$2 ;; *) lent=$PWD/$2 ;; esac
known=$(cd "$(dirname "$0")" && pwd)/threads.supp
. "$(dirname "$0")/harness.sh"
# OpenMP is not compiled with the sanitizer either: what its threads share would look like a race.
export OMP_NUM_THREADS=1 TOCSIN_CUDA_PLUGIN="$lent" TSAN_OPTIONS="suppressions=$known"

cat >targeted.yaml <<'END'
trials: 2
threads: 1
device: cuda
dataset: {source: glyphs, train_per_class: 8, test_per_class: 4}
threat: {ratio: 0.1, epsilon: 16}
surrogate: {model: lenet, train: &training {epochs: 1, batch: 16, rate: 0.02, crop: 0, checkpoint_minutes: 0.0005}}
victim: {model: lenet, train: *training}
attacks:
  - {name: gradient-matching, sharpness: worst-case, steps: 2, restarts: 1}
  - {name: poison-frogs, steps: 2}
  - {name: bullseye-polytope, steps: 2}
  - {name: meta-poison, steps: 2, models: 2, batch: 8}
END
cat >backdoor.yaml <<'END'
extends: targeted.yaml
threat: {goal: backdoor, trigger_size: 6, ratio: 0.1, epsilon: 32}
attacks:
  - {name: badnets}
  - {name: clean-label-backdoor, steps: 2}
  - {name: hidden-trigger, steps: 2}
  - {name: sleeper-agent, steps: 2, retrainings: 1}
END
cat >untargeted.yaml <<'END'
extends: targeted.yaml
threat: {goal: untargeted, ratio: 0.8, epsilon: 8}
attacks:
  - {name: error-min, epochs: 1, model_steps: 1, steps: 1}
  - {name: error-max, steps: 2}
  - {name: separable}
  - {name: autoregressive}
END
cat >defences.yaml <<'END'
extends: targeted.yaml
threat: {ratio: 0.1, epsilon: 16}
attacks:
  - {name: random-noise}
defences:
  - {name: spectral-signatures, poisoned: 0.2}
  - {name: activation-clustering}
  - {name: deep-knn}
  - {name: epic, warmup: 0}
  - {name: gradient-norm}
  - {name: loss, share: 0.3}
  - {name: dp-sgd}
  - {name: mixup}
  - {name: cutout}
  - {name: cutmix}
  - {name: adversarial-training}
END
for study in targeted backdoor untargeted defences; do
    holds "$study" env LENT_LOG=log "$tocsin" run $study.yaml --jobs 3 --out $study --quiet
    grep -q 'ThreadSanitizer' err.txt && { fail "$study: a race"; grep -m 3 -A 30 'WARNING: ThreadSanitizer' err.txt; }
    [ -s $study/results.json ] || fail "$study: no results"
done
checks=$((checks + 1))
[ "$(cut -d ' ' -f 3 log | sort -u | wc -l)" = 4 ] && [ "$(cut -d ' ' -f 3,4 log | sort -u | wc -l)" = 12 ] || { fail 'three threads of one process'; cat log; }
finish
