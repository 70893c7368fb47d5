# chronik_add_api_proto(TARGET [lite]): the generated code of api.proto as a static library of its
# own, compiled with the warnings that generated code deserves. A program links exactly one of them:
# two full copies in one process abort it (toolchain notes in docs/decisions). `lite` leaves
# descriptors out.
set(CHRONIK_API_PROTO_DIRECTORY ${CMAKE_CURRENT_LIST_DIR})

function(chronik_add_api_proto target)
  cmake_parse_arguments(ARG "lite" "" "" ${ARGN})
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${target}.gen)
  set(base ${out}/chronik/api/v1/api)
  if(ARG_lite)
    set(cpp_out lite:${out})
  else()
    set(cpp_out ${out})
  endif()
  file(MAKE_DIRECTORY ${out})
  add_custom_command(
    OUTPUT ${base}.pb.cc ${base}.pb.h ${base}.grpc.pb.cc ${base}.grpc.pb.h
    COMMAND protobuf::protoc --proto_path=${CHRONIK_API_PROTO_DIRECTORY} --cpp_out=${cpp_out}
            --grpc_out=${out} --plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>
            chronik/api/v1/api.proto
    DEPENDS ${CHRONIK_API_PROTO_DIRECTORY}/chronik/api/v1/api.proto
    COMMENT "Generating ${target} from api.proto" VERBATIM)
  add_library(${target} STATIC EXCLUDE_FROM_ALL ${base}.pb.cc ${base}.grpc.pb.cc)
  target_compile_options(${target} PRIVATE -w)
  target_include_directories(${target} SYSTEM PUBLIC ${out})
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf gRPC::grpc++)
endfunction()
