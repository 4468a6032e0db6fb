#pragma once

// The part of OpenVINO's C API that Bifrons calls (Apache-2.0; version 2026.4.1, openvino/c/*.h). It is declared here
// so that the package builds without the engine; `ov_load` looks the functions up in a library opened by dlopen.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ov_core ov_core_t;
typedef struct ov_compiled_model ov_compiled_model_t;
typedef struct ov_infer_request ov_infer_request_t;
typedef struct ov_tensor ov_tensor_t;
typedef struct ov_output_const_port ov_output_const_port_t;

/// 0 is success, any other value an error.
typedef int32_t ov_status_t;
/// The value of f32 in ov_element_type_e.
enum { ov_f32 = 4 };

typedef struct {
    const char *build_number;
    const char *description;
} ov_version_t;

typedef struct {
    const char *key;
    const void *value;
} ov_property_t;

typedef struct {
    int64_t rank;
    int64_t *dims;
} ov_shape_t;

/// Both limits are inclusive; a negative max means no limit.
typedef struct {
    int64_t min;
    int64_t max;
} ov_dimension_t;

typedef struct {
    ov_dimension_t rank;
    ov_dimension_t *dims;
} ov_partial_shape_t;

/// The functions, each under its name in the library without the prefix `ov_`.
typedef struct {
    ov_status_t (*get_openvino_version)(ov_version_t *);
    void (*version_free)(ov_version_t *);
    const char *(*get_last_err_msg)(void);
    void (*free)(const char *);
    ov_status_t (*core_create)(ov_core_t **);
    void (*core_free)(ov_core_t *);
    ov_status_t (*core_compile_model_from_file_props)(const ov_core_t *, const char *path, const char *device,
                                                      size_t count, const ov_property_t *, ov_compiled_model_t **);
    ov_status_t (*compiled_model_inputs_size)(const ov_compiled_model_t *, size_t *);
    ov_status_t (*compiled_model_outputs_size)(const ov_compiled_model_t *, size_t *);
    ov_status_t (*compiled_model_input_by_index)(const ov_compiled_model_t *, size_t, ov_output_const_port_t **);
    ov_status_t (*compiled_model_output_by_index)(const ov_compiled_model_t *, size_t, ov_output_const_port_t **);
    ov_status_t (*compiled_model_input_by_name)(const ov_compiled_model_t *, const char *, ov_output_const_port_t **);
    ov_status_t (*compiled_model_output_by_name)(const ov_compiled_model_t *, const char *, ov_output_const_port_t **);
    ov_status_t (*compiled_model_get_property)(const ov_compiled_model_t *, const char *key, char **value);
    ov_status_t (*compiled_model_create_infer_request)(const ov_compiled_model_t *, ov_infer_request_t **);
    void (*compiled_model_free)(ov_compiled_model_t *);
    ov_status_t (*port_get_any_name)(const ov_output_const_port_t *, char **);
    ov_status_t (*port_get_partial_shape)(const ov_output_const_port_t *, ov_partial_shape_t *);
    ov_status_t (*port_get_element_type)(const ov_output_const_port_t *, int32_t *);
    void (*output_const_port_free)(ov_output_const_port_t *);
    void (*partial_shape_free)(ov_partial_shape_t *);
    ov_status_t (*infer_request_set_tensor_by_const_port)(ov_infer_request_t *, const ov_output_const_port_t *,
                                                          const ov_tensor_t *);
    ov_status_t (*infer_request_get_tensor_by_const_port)(const ov_infer_request_t *, const ov_output_const_port_t *,
                                                          ov_tensor_t **);
    ov_status_t (*infer_request_infer)(ov_infer_request_t *);
    void (*infer_request_free)(ov_infer_request_t *);
    ov_status_t (*tensor_create_from_host_ptr)(int32_t type, ov_shape_t, void *, ov_tensor_t **);
    ov_status_t (*tensor_get_size)(const ov_tensor_t *, size_t *);
    ov_status_t (*tensor_data)(const ov_tensor_t *, void **);
    void (*tensor_free)(ov_tensor_t *);
} ov_functions_t;

/// Fills `functions` from the library `handle`. Returns NULL if all exist, otherwise the name of the first missing one.
const char *ov_load(void *handle, ov_functions_t *functions);
