// sort_stably: what is equal by its key keeps its order. std::stable_sort does too, but with libstdc++'s
// get_temporary_buffer, which clang, rightly, calls deprecated. A pure function; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <utility>
#include <vector>

namespace remora::catalog {

// Ascending by what `key` makes of each item.
template <typename T, typename Key>
void sort_stably(std::vector<T>& items, Key&& key) {
  std::vector<std::size_t> order(items.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const auto first = key(items[a]);
    const auto second = key(items[b]);
    return first < second || (!(second < first) && a < b);
  });
  std::vector<T> sorted;
  sorted.reserve(items.size());
  for (const std::size_t index : order) {
    sorted.push_back(std::move(items[index]));
  }
  items = std::move(sorted);
}

}  // namespace remora::catalog
