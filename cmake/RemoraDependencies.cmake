# Outside libraries, all from Debian 12, linked statically where Debian ships an archive: a static program has fewer
# relocations and so less memory of its own. llhttp is built from the sources that PyPI's sdist `llhttp` holds;
# scripts/deps fetches it, by the version and hash below, into REMORA_CACHE.
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(GTest REQUIRED)
find_package(Protobuf REQUIRED)
set(THREADS_PREFER_PTHREAD_FLAG ON)

function(remora_static_or_shared target)
  foreach(name ${ARGN})
    find_library(REMORA_LIB_${name} NAMES lib${name}.a ${name} REQUIRED)
    target_link_libraries(${target} INTERFACE ${REMORA_LIB_${name}})
  endforeach()
endfunction()

add_library(dep_libevent INTERFACE)
remora_static_or_shared(dep_libevent event_pthreads event_extra event_core)
target_link_libraries(dep_libevent INTERFACE Threads::Threads)

add_library(dep_protobuf INTERFACE)
remora_static_or_shared(dep_protobuf protobuf)
target_link_libraries(dep_protobuf INTERFACE Threads::Threads)

add_library(dep_yaml INTERFACE)
remora_static_or_shared(dep_yaml yaml-cpp)

add_library(dep_re2 INTERFACE)
remora_static_or_shared(dep_re2 re2)
target_link_libraries(dep_re2 INTERFACE Threads::Threads)

add_library(dep_nghttp2 INTERFACE)
remora_static_or_shared(dep_nghttp2 nghttp2)

add_library(dep_cares INTERFACE)
remora_static_or_shared(dep_cares cares)

add_library(dep_openssl INTERFACE)
remora_static_or_shared(dep_openssl ssl crypto)
target_link_libraries(dep_openssl INTERFACE Threads::Threads ${CMAKE_DL_LIBS})

add_library(dep_spdlog INTERFACE)
target_compile_definitions(dep_spdlog INTERFACE SPDLOG_COMPILED_LIB SPDLOG_SHARED_LIB SPDLOG_FMT_EXTERNAL)
target_link_libraries(dep_spdlog INTERFACE spdlog fmt)

add_library(dep_fmt INTERFACE)
target_link_libraries(dep_fmt INTERFACE fmt)

add_library(dep_prometheus INTERFACE)
target_link_libraries(dep_prometheus INTERFACE prometheus-cpp-core)

set(REMORA_LLHTTP_VERSION 9.3.0.0)
set(REMORA_LLHTTP_SHA256 0d989363e7fb6f270b9d49956e7a3945c26778f8c70a166815264309ac6a8295)
if(DEFINED ENV{REMORA_CACHE})
  set(remora_cache $ENV{REMORA_CACHE})
elseif(DEFINED ENV{XDG_CACHE_HOME})
  set(remora_cache $ENV{XDG_CACHE_HOME}/remora)
else()
  set(remora_cache $ENV{HOME}/.cache/remora)
endif()
set(LLHTTP_DIR ${remora_cache}/llhttp-${REMORA_LLHTTP_VERSION} CACHE PATH "Where scripts/deps put llhttp's C sources")
if(NOT EXISTS ${LLHTTP_DIR}/llhttp.c)
  message(FATAL_ERROR "llhttp's sources are not in ${LLHTTP_DIR}: run scripts/deps first")
endif()
add_library(dep_llhttp STATIC ${LLHTTP_DIR}/llhttp.c ${LLHTTP_DIR}/api.c ${LLHTTP_DIR}/http.c)
target_include_directories(dep_llhttp SYSTEM PUBLIC ${LLHTTP_DIR})
target_compile_options(dep_llhttp PRIVATE -w -O2)
