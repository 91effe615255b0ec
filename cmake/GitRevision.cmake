# cmake -DSOURCE=... -DOUTPUT=... -P GitRevision.cmake: the revision as C++ constants, rewritten only when it changed.
# Without git, or outside a checkout, the revision is zeros.
set(revision 0000000000000000000000000000000000000000)
set(state Distribution)
find_program(GIT_PROGRAM git)
if(GIT_PROGRAM AND EXISTS ${SOURCE}/.git)
  execute_process(COMMAND ${GIT_PROGRAM} rev-parse HEAD WORKING_DIRECTORY ${SOURCE}
                  OUTPUT_VARIABLE found RESULT_VARIABLE status OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(status EQUAL 0)
    set(revision ${found})
    execute_process(COMMAND ${GIT_PROGRAM} diff-index --quiet HEAD -- WORKING_DIRECTORY ${SOURCE}
                    RESULT_VARIABLE dirty ERROR_QUIET OUTPUT_QUIET)
    if(dirty EQUAL 0)
      set(state Clean)
    else()
      set(state Modified)
    endif()
  endif()
endif()
set(text "namespace remora::proxy {\nextern const char* const kGitRevision;\nextern const char* const kGitState;
const char* const kGitRevision = \"${revision}\";\nconst char* const kGitState = \"${state}\";\n}  // namespace remora::proxy\n")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${OUTPUT} "${text}")
endif()
