#include "COpenVINO.h"

#include <dlfcn.h>
#include <string.h>

const char *ov_load(void *handle, ov_functions_t *functions) {
#define FIND(name)                                                    \
    do {                                                              \
        void *address = dlsym(handle, "ov_" #name);                   \
        if (!address) return "ov_" #name;                             \
        memcpy(&functions->name, &address, sizeof address);           \
    } while (0)
    FIND(get_openvino_version);
    FIND(version_free);
    FIND(get_last_err_msg);
    FIND(free);
    FIND(core_create);
    FIND(core_free);
    FIND(core_compile_model_from_file_props);
    FIND(compiled_model_inputs_size);
    FIND(compiled_model_outputs_size);
    FIND(compiled_model_input_by_index);
    FIND(compiled_model_output_by_index);
    FIND(compiled_model_input_by_name);
    FIND(compiled_model_output_by_name);
    FIND(compiled_model_get_property);
    FIND(compiled_model_create_infer_request);
    FIND(compiled_model_free);
    FIND(port_get_any_name);
    FIND(port_get_partial_shape);
    FIND(port_get_element_type);
    FIND(output_const_port_free);
    FIND(partial_shape_free);
    FIND(infer_request_set_tensor_by_const_port);
    FIND(infer_request_get_tensor_by_const_port);
    FIND(infer_request_infer);
    FIND(infer_request_free);
    FIND(tensor_create_from_host_ptr);
    FIND(tensor_get_size);
    FIND(tensor_data);
    FIND(tensor_free);
#undef FIND
    return NULL;
}
