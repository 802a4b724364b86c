#include "cli/arguments.h"

#include "base/log.h"
#include "base/option.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const tc_flag *find(const tc_flag *flags, const char *name, size_t length) {
    for (; flags->name; flags++)
        if (strlen(flags->name) == length && !strncmp(flags->name, name, length)) return flags;
    return NULL;
}

static void print_usage(const tc_usage *usage) {
    printf("tocsin %s%s%s — %s\n", usage->command, *usage->operands ? " " : "", usage->operands, usage->summary);
    if (*usage->details) printf("\n%s", usage->details);
    printf("\n");
    for (const tc_flag *flag = usage->flags; flag->name; flag++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", flag->name, flag->value ? flag->value : "");
        printf("  %-22s %s\n", left, flag->help);
    }
}

static tc_status unknown_flag(const tc_usage *usage, const char *name, tc_error *error) {
    const char *known[TC_MOST_ARGUMENTS] = {NULL};
    for (int i = 0; i < TC_MOST_ARGUMENTS - 1 && usage->flags[i].name; i++) known[i] = usage->flags[i].name;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(name, "="), name);
    const char *near = tc_nearest(word, known);
    if (near)
        return tc_raise(error, TC_INVALID, "%s: unknown flag --%s; did you mean --%s?", usage->command, word, near);
    return tc_raise(error, TC_INVALID, "%s: unknown flag --%s; see `tocsin %s --help`", usage->command, word,
                    usage->command);
}

/* `name`: argv[*at] without the dashes; its value may be in the next one. */
static tc_status take_flag(tc_arguments *to, const char *name, int argc, char **argv, int *at, tc_error *error) {
    const char *equals = strchr(name, '='), *value = equals ? equals + 1 : NULL;
    const tc_usage *usage = to->usage;
    const tc_flag *flag = find(usage->flags, name, strcspn(name, "="));
    if (!flag) return unknown_flag(usage, name, error);
    if (!flag->value && value)
        return tc_raise(error, TC_INVALID, "%s: --%s takes no value; leave '=%.64s' away", usage->command, flag->name,
                        value);
    if (flag->value && !value) {
        if (*at + 1 >= argc)
            return tc_raise(error, TC_INVALID, "%s: --%s needs a value; write --%s %s", usage->command, flag->name,
                            flag->name, flag->value);
        value = argv[++*at];
    }
    to->flag[to->given].flag = flag;
    to->flag[to->given++].value = value ? value : "";
    return TC_OK;
}

static tc_status check_count(const tc_arguments *arguments, tc_error *error) {
    const tc_usage *usage = arguments->usage;
    if (arguments->count < usage->least) {
        return tc_raise(error, TC_INVALID, "%s: %s is missing; see `tocsin %s --help`", usage->command, usage->operands,
                        usage->command);
    }
    if (arguments->count <= usage->most) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: '%.200s' is one argument too many; see `tocsin %s --help`", usage->command,
                    arguments->positional[usage->most], usage->command);
}

tc_status tc_arguments_parse(const tc_usage *usage, int argc, char **argv, tc_arguments *arguments, tc_error *error) {
    *arguments = (tc_arguments){.usage = usage};
    bool flags = true;
    for (int i = 1; i < argc; i++) {
        if (i >= TC_MOST_ARGUMENTS)
            return tc_raise(error, TC_INVALID, "%s: more than %d arguments; put them into a spec", usage->command,
                            TC_MOST_ARGUMENTS);
        const char *word = strcmp(argv[i], "-h") ? argv[i] : "--help";
        if (flags && !strcmp(word, "--")) {
            flags = false;
        } else if (flags && !strncmp(word, "--", 2)) {
            const tc_status status = take_flag(arguments, word + 2, argc, argv, &i, error);
            if (status != TC_OK) return status;
        } else if (flags && word[0] == '-' && word[1]) {
            return tc_raise(error, TC_INVALID, "%s: unknown flag %.64s; flags begin with --, see `tocsin %s --help`",
                            usage->command, word, usage->command);
        } else {
            arguments->positional[arguments->count++] = word;
        }
    }
    if (tc_arguments_has(arguments, "help")) {
        print_usage(usage);
        exit(0);
    }
    if (tc_arguments_has(arguments, "verbose")) tc_log_set(TC_VERBOSE);
    if (tc_arguments_has(arguments, "quiet")) tc_log_set(TC_QUIET);
    return check_count(arguments, error);
}

bool tc_arguments_has(const tc_arguments *arguments, const char *name) {
    return tc_arguments_value(arguments, name, NULL) != NULL;
}

const char *tc_arguments_value(const tc_arguments *arguments, const char *name, const char *fallback) {
    const char *value = fallback;
    for (int i = 0; i < arguments->given; i++)
        if (!strcmp(arguments->flag[i].flag->name, name)) value = arguments->flag[i].value;
    return value;
}

int tc_arguments_values(const tc_arguments *arguments, const char *name, const char **values) {
    int count = 0;
    for (int i = 0; i < arguments->given; i++)
        if (!strcmp(arguments->flag[i].flag->name, name)) values[count++] = arguments->flag[i].value;
    return count;
}

tc_status tc_arguments_int(const tc_arguments *arguments, const char *name, int64_t low, int64_t high, int64_t fallback,
                           int64_t *value, tc_error *error) {
    const char *text = tc_arguments_value(arguments, name, NULL);
    *value = fallback;
    if (!text) return TC_OK;
    char *end = NULL;
    errno = 0;
    *value = strtoll(text, &end, 10);
    if (*text && !*end && !errno && *value >= low && *value <= high) return TC_OK;
    return tc_raise(error, TC_INVALID, "%s: --%s is '%.64s'; must be a whole number, %lld … %lld",
                    arguments->usage->command, name, text, (long long)low, (long long)high);
}
