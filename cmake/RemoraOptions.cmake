# Compiler flags that every target of ours gets.
add_compile_options(-Wall -Wextra -Wpedantic -Wimplicit-fallthrough -fno-omit-frame-pointer -fdiagnostics-color=auto
                    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<CXX_COMPILER_ID:GNU>:-Wshadow=local>)
# clang calls std::stable_sort of libstdc++ 12 deprecated, for what that uses inside.
add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-deprecated-declarations>)
option(REMORA_WERROR "Warnings are errors" ON)
if(REMORA_WERROR)
  add_compile_options(-Werror)
endif()

# Debug paths relative to the source, so that ccache hits across checkouts.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=.)

if(REMORA_SANITIZE)
  add_compile_options(-fsanitize=${REMORA_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${REMORA_SANITIZE})
endif()

if(REMORA_FUZZ) # coverage for libFuzzer in every library of ours
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM AND NOT CMAKE_INTERPROCEDURAL_OPTIMIZATION)
  add_link_options(-fuse-ld=mold)
elseif(CMAKE_INTERPROCEDURAL_OPTIMIZATION)
  # A position-independent program's relative relocations as bits rather than 24 bytes each: 0.7 MB that every start read
  # and kept mapped. Understood by glibc 2.36 and later (Debian 12).
  add_link_options(-Wl,-z,pack-relative-relocs)
endif()
