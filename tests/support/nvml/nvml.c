/* A driver that plays what a file says: the functions of NVML that are asked for, as libnvidia-ml.so.1.
 *
 * The file is named by NVML_PLAY and read again whenever the cards are counted. One thing a line, its
 * parts separated by tabs; a card's own lines follow it (see script.py, which writes them):
 *
 *     driver   550.54.15
 *     error    FUNCTION  CODE          of any card, or of the driver
 *     hang     FUNCTION                never returns
 *     rounds   FILE                    a dot is added to it each time the cards are counted, and an h where it hangs
 *     card     KEY=VALUE ...           uuid bus name memory used load temperature power limit ecc mode mig xid
 *     slice    KEY=VALUE ...           of the card above
 *     process  KIND  PID  MEMORY       of the card or slice above; KIND is Compute, Graphics or MPSCompute
 *     link     BUS                     where the next link of the card above leads; "-": it is down
 *     fails    FUNCTION  CODE          of the card or slice above
 *
 * What a card does not have a value for is "not supported". With -DOLD the library has only the functions of a
 * driver of 2021. A handle stays with its uuid, whatever the order of the cards becomes.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK, INVALID = 2, UNSUPPORTED = 3, NOT_FOUND = 6, TOO_SMALL = 7, TIMEOUT = 10, LOST = 15, UNKNOWN = 999 };
enum { DEVICES = 128, PARTS = 64, TEXT = 96 };

typedef struct { char function[TEXT]; int code; } Failure;
typedef struct { char kind[16]; unsigned pid; unsigned long long memory; } Process;

typedef struct Device {
    int present;
    struct Device *whole;
    char uuid[TEXT], bus[32], name[TEXT];
    long long memory, used, load, temperature, power, limit, ecc, mode, mig, xid;
    int slices, processes, links, failures;
    struct Device *slice[PARTS];
    Process process[PARTS];
    char link[PARTS][32];
    Failure failure[PARTS];
    long long told_xid;
} Device;

typedef struct { unsigned pid; unsigned long long memory; unsigned instance, part; } ProcessInfo;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char busId[32]; } PciInfo;
typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } Memory2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { Device *device; unsigned long long type, number; unsigned instance, part; } Event;

static Device devices[DEVICES];
static Device *order[DEVICES];
static int count, failures, hangs;
static Failure failure[PARTS];
static char hang[PARTS][TEXT], driver[80], rounds[4096];

/* -- the play ------------------------------------------------------------------------------------------------- */

static void copy(char *to, const char *from, size_t size) { snprintf(to, size, "%s", from); }

static Device *named(const char *uuid) {
    int at = 0;
    while (at < DEVICES - 1 && devices[at].uuid[0] && strcmp(devices[at].uuid, uuid)) at++;
    Device *device = &devices[at];
    long long told = device->told_xid;
    memset(device, 0, sizeof *device);
    copy(device->uuid, uuid, TEXT);
    device->told_xid = told;
    device->present = 1;
    device->memory = device->used = device->load = device->temperature = device->power = -1;
    device->limit = device->ecc = device->mode = device->mig = -1;
    return device;
}

static void set(Device *device, char *part) {
    struct { const char *key; long long *value; } numbers[] = {
        {"memory", &device->memory}, {"used", &device->used}, {"load", &device->load},
        {"temperature", &device->temperature}, {"power", &device->power}, {"limit", &device->limit},
        {"ecc", &device->ecc}, {"mode", &device->mode}, {"mig", &device->mig}, {"xid", &device->xid},
    };
    char *value = strchr(part, '=');
    if (!value) return;
    *value++ = 0;
    if (!strcmp(part, "bus")) copy(device->bus, value, sizeof device->bus);
    if (!strcmp(part, "name")) copy(device->name, value, sizeof device->name);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!strcmp(part, numbers[i].key)) *numbers[i].value = atoll(value);
}

static Device *described(char **words) {
    Device *device = named(words[1] + strlen("uuid="));
    for (int i = 2; words[i]; i++) set(device, words[i]);
    return device;
}

static void obey(char **words, Device **card, Device **part) {
    const char *verb = words[0];
    Device *on = *part;
    if (!strcmp(verb, "driver")) copy(driver, words[1], sizeof driver);
    else if (!strcmp(verb, "rounds")) copy(rounds, words[1], sizeof rounds);
    else if (!strcmp(verb, "hang")) copy(hang[hangs++], words[1], TEXT);
    else if (!strcmp(verb, "error")) {
        copy(failure[failures].function, words[1], TEXT);
        failure[failures++].code = atoi(words[2]);
    } else if (!strcmp(verb, "card")) {
        *card = *part = order[count++] = described(words);
    } else if (!strcmp(verb, "slice")) {
        *part = described(words);
        (*part)->whole = *card;
        (*card)->slice[(*card)->slices++] = *part;
    } else if (!strcmp(verb, "process")) {
        Process *process = &on->process[on->processes++];
        copy(process->kind, words[1], sizeof process->kind);
        process->pid = (unsigned) atol(words[2]);
        process->memory = strtoull(words[3], NULL, 10);
    } else if (!strcmp(verb, "link")) copy(on->link[on->links++], words[1], 32);
    else if (!strcmp(verb, "fails")) {
        copy(on->failure[on->failures].function, words[1], TEXT);
        on->failure[on->failures++].code = atoi(words[2]);
    }
}

static void mark(const char *text) {
    FILE *file = rounds[0] ? fopen(rounds, "a") : NULL;
    if (file) {
        fputs(text, file);
        fclose(file);
    }
}

static void read_play(void) {
    const char *path = getenv("NVML_PLAY");
    FILE *file = path ? fopen(path, "r") : NULL;
    Device *card = NULL, *part = NULL;
    char line[8192];
    count = failures = hangs = 0;
    rounds[0] = 0;
    for (int i = 0; i < DEVICES; i++) devices[i].present = 0;
    while (file && fgets(line, sizeof line, file)) {
        char *words[32] = {0}, *rest = NULL;
        int n = 0;
        for (char *word = strtok_r(line, "\t\n", &rest); word && n < 31; word = strtok_r(NULL, "\t\n", &rest))
            words[n++] = word;
        if (n > 1) obey(words, &card, &part);
    }
    if (file) fclose(file);
}

/* Hangs, or says which error is to be returned: OK where none is. */
static int fate(const char *function, Device *device) {
    for (int i = 0; i < hangs; i++)
        if (!strcmp(hang[i], function)) for (mark("h");;) pause();
    for (int i = 0; i < failures; i++)
        if (!strcmp(failure[i].function, function)) return failure[i].code;
    if (device && !device->present) return LOST;
    for (int i = 0; device && i < device->failures; i++)
        if (!strcmp(device->failure[i].function, function) || !strcmp(device->failure[i].function, "*"))
            return device->failure[i].code;
    return OK;
}

#define FATE(device) do { int code = fate(__func__, device); if (code != OK) return code; } while (0)

static int number(const char *function, Device *device, long long value, unsigned *to) {
    int code = fate(function, device);
    if (code != OK) return code;
    if (value < 0) return UNSUPPORTED;
    *to = (unsigned) value;
    return OK;
}

static int written(const char *text, char *to, unsigned size) {
    if (strlen(text) + 1 > size) return TOO_SMALL;
    strcpy(to, text);
    return OK;
}

/* -- the driver ----------------------------------------------------------------------------------------------- */

int nvmlInitWithFlags(unsigned flags) {
    (void) flags;
    memset(devices, 0, sizeof devices);
    read_play();
    FATE(NULL);
    return OK;
}

int nvmlShutdown(void) { return OK; }

const char *nvmlErrorString(int code) {
    static char text[64];
    snprintf(text, sizeof text, "Error %d", code);
    return text;
}

int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    FATE(NULL);
    return written(driver, version, length);
}

int nvmlDeviceGetCount_v2(unsigned *to) {
    read_play();
    mark(".");
    FATE(NULL);
    *to = (unsigned) count;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, Device **device) {
    if (index >= (unsigned) count) return INVALID;
    FATE(order[index]);
    *device = order[index];
    return OK;
}

/* -- a card --------------------------------------------------------------------------------------------------- */

int nvmlDeviceGetUUID(Device *device, char *uuid, unsigned length) {
    FATE(device);
    return written(device->uuid, uuid, length);
}

int nvmlDeviceGetName(Device *device, char *name, unsigned length) {
    FATE(device);
    return device->name[0] ? written(device->name, name, length) : UNSUPPORTED;
}

static void pci(const char *bus, PciInfo *info) {
    memset(info, 0, sizeof *info);
    copy(info->busId, bus, sizeof info->busId);
}

int nvmlDeviceGetPciInfo_v3(Device *device, PciInfo *info) {
    FATE(device);
    pci(device->bus, info);
    return OK;
}

int nvmlDeviceGetMemoryInfo(Device *device, Memory *memory) {
    FATE(device);
    if (device->memory < 0) return UNSUPPORTED;
    memory->total = (unsigned long long) device->memory;
    memory->used = (unsigned long long) device->used;
    memory->free = memory->total - memory->used;
    return OK;
}

int nvmlDeviceGetComputeMode(Device *device, unsigned *mode) {
    return number(__func__, device, device->mode, mode);
}

int nvmlDeviceGetUtilizationRates(Device *device, Utilization *rates) {
    rates->memory = 0;
    return number(__func__, device, device->load, &rates->gpu);
}

int nvmlDeviceGetTemperature(Device *device, unsigned sensor, unsigned *degrees) {
    (void) sensor;
    return number(__func__, device, device->temperature, degrees);
}

int nvmlDeviceGetPowerUsage(Device *device, unsigned *milliwatts) {
    return number(__func__, device, device->power, milliwatts);
}

int nvmlDeviceGetEnforcedPowerLimit(Device *device, unsigned *milliwatts) {
    return number(__func__, device, device->limit, milliwatts);
}

int nvmlDeviceGetTotalEccErrors(Device *device, unsigned type, unsigned counter, unsigned long long *errors) {
    FATE(device);
    if (type != 1 || counter != 0) return INVALID;
    if (device->ecc < 0) return UNSUPPORTED;
    *errors = (unsigned long long) device->ecc;
    return OK;
}

/* -- slices --------------------------------------------------------------------------------------------------- */

int nvmlDeviceGetMigMode(Device *device, unsigned *current, unsigned *pending) {
    int code = number(__func__, device, device->mig, current);
    if (code == OK) *pending = *current;
    return code;
}

int nvmlDeviceGetMaxMigDeviceCount(Device *device, unsigned *slots) {
    FATE(device);
    *slots = 7;
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(Device *device, unsigned index, Device **slice) {
    FATE(device);
    if (index >= (unsigned) device->slices) return NOT_FOUND;
    *slice = device->slice[index];
    return OK;
}

/* -- processes ------------------------------------------------------------------------------------------------ */

static int list(const char *function, const char *kind, Device *device, unsigned *size, ProcessInfo *to) {
    int code = fate(function, device);
    unsigned n = 0;
    for (int i = 0; code == OK && i < device->processes; i++) {
        Process *process = &device->process[i];
        if (strcmp(process->kind, kind)) continue;
        if (to && n < *size) to[n] = (ProcessInfo) {process->pid, process->memory, ~0u, ~0u};
        n++;
    }
    if (code == OK && n > (to ? *size : 0)) code = TOO_SMALL;
    *size = n;
    return code;
}

#define LIST(kind, version) \
    int nvmlDeviceGet##kind##RunningProcesses_##version(Device *device, unsigned *size, ProcessInfo *to) { \
        return list(__func__, #kind, device, size, to); \
    }

LIST(Compute, v2)
LIST(Graphics, v2)
LIST(MPSCompute, v2)

#ifndef OLD
LIST(Compute, v3)
LIST(Graphics, v3)
LIST(MPSCompute, v3)

int nvmlDeviceGetMemoryInfo_v2(Device *device, Memory2 *memory) {
    FATE(device);
    if (device->memory < 0) return UNSUPPORTED;
    if (memory->version != (sizeof *memory | 2 << 24)) return 25;
    memory->total = (unsigned long long) device->memory;
    memory->used = (unsigned long long) device->used;
    memory->reserved = 0;
    memory->free = memory->total - memory->used;
    return OK;
}
#endif

/* -- events and links ----------------------------------------------------------------------------------------- */

static int events;

int nvmlEventSetCreate(int **set) {
    FATE(NULL);
    *set = &events;
    return OK;
}

int nvmlEventSetFree(int *set) {
    (void) set;
    return OK;
}

int nvmlDeviceRegisterEvents(Device *device, unsigned long long types, int *set) {
    (void) set;
    FATE(device);
    return types == 8 ? OK : INVALID;
}

/* An error of a card is told once, whether or not the card can still be asked. */
int nvmlEventSetWait_v2(int *set, Event *event, unsigned milliseconds) {
    (void) set, (void) milliseconds;
    FATE(NULL);
    for (int i = 0; i < DEVICES; i++) {
        Device *device = &devices[i];
        if (!device->xid || device->xid == device->told_xid) continue;
        device->told_xid = device->xid;
        *event = (Event) {device, 8, (unsigned long long) device->xid, ~0u, ~0u};
        return OK;
    }
    return TIMEOUT;
}

int nvmlDeviceGetNvLinkState(Device *device, unsigned link, unsigned *active) {
    FATE(device);
    if (!device->links) return UNSUPPORTED;
    if (link >= (unsigned) device->links) return INVALID;
    *active = strcmp(device->link[link], "-") != 0;
    return OK;
}

int nvmlDeviceGetNvLinkRemotePciInfo_v2(Device *device, unsigned link, PciInfo *info) {
    FATE(device);
    if (link >= (unsigned) device->links) return INVALID;
    pci(device->link[link], info);
    return OK;
}
