/* libFuzzer around Python: each input goes to the function that FUZZ_TARGET names in targets.TARGETS.
 *
 * The compiled modules are built with the fuzzer's instrumentation, so that it sees which of their branches an input takes;
 * CPython itself is not. A target returns, or raises: an exception is a finding, its traceback is printed and the input kept.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>

static PyObject *target;

static void finding(void) {
    PyErr_Print();
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *name = getenv("FUZZ_TARGET");
    const char *python = getenv("FUZZ_PYTHON"); /* of the environment that holds the dependencies */
    PyConfig config;
    PyObject *module, *targets;
    (void)argc;
    (void)argv;
    if (name == NULL || python == NULL) {
        fprintf(stderr, "FUZZ_TARGET and FUZZ_PYTHON are to be set\n");
        exit(2);
    }
    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    PyConfig_SetBytesString(&config, &config.program_name, python);
    PyConfig_SetBytesString(&config, &config.executable, python);
    if (PyStatus_Exception(Py_InitializeFromConfig(&config)))
        exit(2);
    PyConfig_Clear(&config);
    module = PyImport_ImportModule("targets");
    targets = module ? PyObject_GetAttrString(module, "TARGETS") : NULL;
    target = targets ? PyMapping_GetItemString(targets, name) : NULL;
    if (target == NULL) {
        PyErr_Print();
        exit(2);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    PyObject *input = PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
    PyObject *result = input ? PyObject_CallOneArg(target, input) : NULL;
    if (result == NULL)
        finding();
    Py_DECREF(result);
    Py_DECREF(input);
    return 0;
}
