#include "chronik/sdk/frontend.hpp"
#include "server.h"

namespace {

const chronik_component kComponents[] = {chronik::sdk::frontend<chronik::grpc_api::Server>(
    "grpc_api", "The client API chronik.api.v1 over gRPC, with health service and reflection.", 0,
    chronik::grpc_api::kOptions)};

}  // namespace

CHRONIK_PLUGIN("org.chronik.grpc_api", "0.1.0", "Chronik", "Apache-2.0",
               "The client API over gRPC.", kComponents)
