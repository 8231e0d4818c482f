# Lets an unchanged ament_cmake package build against the ROS 2 packages that pip installs.
#
#   cmake -DCMAKE_PROJECT_INCLUDE=<this file> …
#
# CMake reads it right after project(). Where the ROS packages come from apt or from source
# (every robot with an aarch64 processor) it finds nothing to do and changes nothing.
#
# Two things differ from an apt installation:
#   - there is no setup.bash that says where the packages are, so the place is asked of Python;
#   - the exported targets still name include folders of the machine that built the wheels, and
#     CMake stops at a target with a folder that does not exist.

find_package(Python3 COMPONENTS Interpreter REQUIRED)

set(_thymos_ask [=[
from importlib.metadata import PackageNotFoundError, files
anchor = "share/ament_cmake_core/cmake/ament_cmake_coreConfig.cmake"
try:
    found = [f.locate() for f in files("ros-ament-cmake-core") or () if str(f).endswith(anchor)]
except PackageNotFoundError:
    found = []
print(found[0].resolve().parents[3] if found else "", end="")
]=])
execute_process(COMMAND "${Python3_EXECUTABLE}" -c "${_thymos_ask}"
  OUTPUT_VARIABLE THYMOS_ROS_PREFIX COMMAND_ERROR_IS_FATAL ANY)
unset(_thymos_ask)

if(THYMOS_ROS_PREFIX STREQUAL "")
  return()
endif()
message(STATUS "ROS 2 packages from pip: ${THYMOS_ROS_PREFIX}")

list(APPEND CMAKE_PREFIX_PATH "${THYMOS_ROS_PREFIX}")
set(_thymos_path "$ENV{AMENT_PREFIX_PATH}")
string(REPLACE ":" ";" _thymos_path "${_thymos_path}")
if(NOT THYMOS_ROS_PREFIX IN_LIST _thymos_path)
  list(APPEND _thymos_path "${THYMOS_ROS_PREFIX}")
endif()
list(JOIN _thymos_path ":" _thymos_path)
set(ENV{AMENT_PREFIX_PATH} "${_thymos_path}")
unset(_thymos_path)

# Runs when the CMakeLists.txt is through and all targets are known.
function(thymos_forget_foreign_includes)
  get_directory_property(imported IMPORTED_TARGETS)
  foreach(target IN LISTS imported)
    get_property(folders TARGET ${target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES)
    foreach(folder IN LISTS folders)
      if(IS_ABSOLUTE "${folder}" AND NOT IS_DIRECTORY "${folder}")
        list(REMOVE_ITEM folders "${folder}")
      endif()
    endforeach()
    set_property(TARGET ${target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${folders}")
  endforeach()
endfunction()
cmake_language(DEFER CALL thymos_forget_foreign_includes)
