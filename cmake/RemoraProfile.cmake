# Profile-guided optimisation of the request path. scripts/profile builds an instrumented program, trains it with traffic
# (bench/profile), and keeps what it counted in REMORA_CACHE, under a hash of all that it depends on; a release build is
# told where: cmake --preset release -DREMORA_PROFILE=$(scripts/profile). Without it a release is some 5 % slower a request.
# Only the libraries below take part. What training never ran is compiled as ever (-fprofile-partial-training), and what
# GCC says of counts that do not add up (a thread that ended between two of them) is no error; warnings of the code are
# errors in every other build.
set(REMORA_PROFILE "" CACHE PATH "Folder of the profile that the request path is optimised by (scripts/profile prints it)")
set(REMORA_PROFILE_GENERATE "" CACHE PATH "Instruments the request path: its counts are written into this folder")
set(REMORA_PROFILED
    remora_base remora_event remora_net remora_http remora_metrics remora_model remora_info remora_routing remora_upstream
    remora_filters remora_exchange remora_listener remora_tcp remora_worker dep_llhttp)

# Counts go by the name of the object file in its build folder. ccache knows none of these options, and need not: the
# seed, which is the profile's hash, keeps builds by different profiles apart.
if(CCACHE_PROGRAM)
  set(remora_unless_ccache "--ccache-skip ")
endif()

function(remora_profile target)
  get_target_property(kind ${target} TYPE)
  if(kind STREQUAL INTERFACE_LIBRARY)  # headers only
    return()
  endif()
  if(REMORA_PROFILE_GENERATE)
    target_compile_options(${target} PRIVATE -fprofile-generate -fprofile-update=prefer-atomic
                           -fprofile-dir=${REMORA_PROFILE_GENERATE} -fprofile-prefix-path=${CMAKE_BINARY_DIR})
  elseif(REMORA_PROFILE)
    cmake_path(GET REMORA_PROFILE FILENAME seed)
    target_compile_options(${target} PRIVATE
      "SHELL:${remora_unless_ccache}-fprofile-use=${REMORA_PROFILE}"
      "SHELL:${remora_unless_ccache}-fprofile-prefix-path=${CMAKE_BINARY_DIR}"
      -fprofile-partial-training -fprofile-correction -frandom-seed=${seed} -Wno-missing-profile -Wno-coverage-mismatch
      -Wno-error)
  endif()
endfunction()

function(remora_profile_all)
  if(REMORA_PROFILE AND NOT IS_DIRECTORY ${REMORA_PROFILE})
    message(FATAL_ERROR "REMORA_PROFILE: there is no folder ${REMORA_PROFILE}; scripts/profile makes one, and prints its name")
  endif()
  foreach(target ${REMORA_PROFILED})
    remora_profile(${target})
  endforeach()
  if(REMORA_PROFILE_GENERATE)
    target_link_options(remora-proxy PRIVATE -fprofile-generate)
  endif()
endfunction()
