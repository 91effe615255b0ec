// Redirects, splits and failovers that lead back to where they came from.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "control/catalog/findings.h"

namespace remora::catalog {
namespace {

// Follows one kind of arrow from service to service; `next` gives where they lead, and from which place.
struct Arrow {
  std::string to;
  const Place* place = nullptr;
};

template <typename Next>
class Circles {
 public:
  Circles(Next next, std::string_view verb, Report& report) : next_(std::move(next)), verb_(verb), report_(report) {}

  void visit(const std::string& name) {
    if (done_.contains(name)) {
      return;
    }
    path_.push_back(name);
    for (const Arrow& arrow : next_(name)) {
      const auto begin = std::ranges::find(path_, arrow.to);
      if (begin != path_.end()) {
        std::vector<std::string> circle(begin, path_.end());
        circle.push_back(arrow.to);
        report_.error(*arrow.place, fmt::format("{} lead in a circle: {}", verb_, fmt::join(circle, " → ")));
      } else if (path_.size() < kLongest) {
        visit(arrow.to);
      }
    }
    path_.pop_back();
    done_.insert(name);
  }

 private:
  static constexpr std::size_t kLongest = 1000;  // of a chain of entries: the stack is finite

  Next next_;
  std::string_view verb_;
  Report& report_;
  std::set<std::string, std::less<>> done_;
  std::vector<std::string> path_;
};

}  // namespace

void check_circles(const Catalog& catalog, Report& report) {
  const auto redirects = [&](const std::string& name) {
    std::vector<Arrow> arrows;
    const ServiceResolver* resolver = catalog.resolver_of(name);
    if (resolver != nullptr && resolver->redirect) {
      const Redirect& redirect = *resolver->redirect;
      const bool here = redirect.datacenter.empty() || redirect.datacenter == catalog.datacenter;
      if (here) {
        arrows.push_back({redirect.service.empty() ? name : redirect.service, &redirect.place});
      }
    }
    return arrows;
  };
  // A split without a subset for another service goes through that one's splitter.
  const auto splits = [&](const std::string& name) {
    std::vector<Arrow> arrows;
    if (const ServiceSplitter* splitter = catalog.splitter_of(name)) {
      for (const Split& split : splitter->splits) {
        if (split.service_subset.empty() && !split.service.empty() && split.service != name &&
            catalog.splitter_of(split.service) != nullptr) {
          arrows.push_back({split.service, &split.place});
        }
      }
    }
    return arrows;
  };
  Circles redirect_circles(redirects, "redirects", report);
  for (const auto& [name, resolver] : catalog.resolvers) {
    redirect_circles.visit(name);
  }
  Circles split_circles(splits, "splits", report);
  for (const auto& [name, splitter] : catalog.splitters) {
    split_circles.visit(name);
  }
}

}  // namespace remora::catalog
