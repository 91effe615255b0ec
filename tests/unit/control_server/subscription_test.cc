#include "control/server/subscription.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace remora::control {
namespace {

using Names = std::vector<std::string>;

struct Store {
  ResourcePool pool;
  ResourceSet::ByName by_name;

  Store& set(const std::string& name, std::string_view value) {
    by_name[name] = pool.share(Type::endpoint, value);
    return *this;
  }
  ResourceSet all() const { return ResourceSet(by_name); }
};

Names changed(const Subscription& wanted, const Store& store) {
  const ResourceSet set = store.all();
  Names names;
  for (const auto& item : wanted.diff(set).changed) {
    names.emplace_back(item.name);
  }
  return names;
}

void send_all(Subscription& wanted, const Store& store) {
  const ResourceSet set = store.all();
  const auto diff = wanted.diff(set);
  for (const auto& item : diff.changed) {
    wanted.sent(item.name, item.resource->hash);
  }
  for (const auto& name : diff.removed) {
    wanted.told_missing(name);
  }
  wanted.answered();
}

TEST(Resources, EqualOnesAreOneAndVersionsFollowContent) {
  ResourcePool pool;
  const auto one = pool.share(Type::cluster, "value");
  EXPECT_EQ(one, pool.share(Type::cluster, "value"));
  EXPECT_NE(one->hash, pool.share(Type::listener, "value")->hash);
  EXPECT_NE(one->hash, pool.share(Type::cluster, "valuf")->hash);
  EXPECT_EQ(version_text(one->hash), version_text(ResourcePool().share(Type::cluster, "value")->hash));
  EXPECT_EQ(version_text(hash_of("abc")).size(), 16u);
  pool.forget_unused();
  EXPECT_EQ(pool.size(), 1u);
  // A name is part of a set's version, and so is its order of none.
  Store a;
  Store b;
  a.set("x", "1").set("y", "2");
  b.set("y", "2").set("x", "1");
  EXPECT_EQ(a.all().version(), b.all().version());
  b.set("x", "2").set("y", "1");
  EXPECT_NE(a.all().version(), b.all().version());
}

TEST(Subscription, NamesGetWhatTheyAskForOnce) {
  Store store;
  store.set("a", "1").set("b", "1");
  Subscription wanted(Type::endpoint);
  wanted.subscribe(Names{"a"});
  EXPECT_FALSE(wanted.wildcard());
  EXPECT_EQ(changed(wanted, store), Names{"a"});
  send_all(wanted, store);
  EXPECT_EQ(changed(wanted, store), Names());
  store.set("a", "2").set("b", "2");
  EXPECT_EQ(changed(wanted, store), Names{"a"});
  wanted.subscribe(Names{"b"});
  EXPECT_EQ(changed(wanted, store), (Names{"a", "b"}));
  send_all(wanted, store);
  wanted.subscribe(Names{"b"});
  EXPECT_EQ(changed(wanted, store), Names{"b"});
}

TEST(Subscription, WhatDoesNotExistIsToldOnce) {
  Store store;
  Subscription wanted(Type::endpoint);
  wanted.subscribe(Names{"a"});
  EXPECT_EQ(wanted.diff(store.all()).removed, Names{"a"});
  send_all(wanted, store);
  EXPECT_TRUE(wanted.diff(store.all()).empty());
  store.set("a", "1");
  EXPECT_EQ(changed(wanted, store), Names{"a"});
  send_all(wanted, store);
  store.by_name.clear();
  EXPECT_EQ(wanted.diff(store.all()).removed, Names{"a"});
  send_all(wanted, store);
  EXPECT_TRUE(wanted.diff(store.all()).empty());
}

TEST(Subscription, TheOldWildcardIsForClustersAndListenersAndTheStarForAll) {
  Store store;
  store.set("a", "1");
  Subscription clusters(Type::cluster);
  clusters.subscribe(Names());
  EXPECT_TRUE(clusters.wildcard());
  EXPECT_TRUE(clusters.owes_answer());
  Subscription endpoints(Type::endpoint);
  endpoints.subscribe(Names());
  EXPECT_FALSE(endpoints.wildcard());
  EXPECT_EQ(changed(endpoints, store), Names());
  endpoints.subscribe(Names{"*"});
  EXPECT_EQ(changed(endpoints, store), Names{"a"});
  send_all(endpoints, store);
  endpoints.unsubscribe(Names{"*"});
  store.set("a", "2");
  EXPECT_EQ(changed(endpoints, store), Names());
}

TEST(Subscription, AClientThatComesBackSaysWhatItHas) {
  Store store;
  store.set("a", "1").set("b", "1");
  Subscription wanted(Type::cluster);
  wanted.claim("a", version_text(store.by_name["a"]->hash));
  wanted.claim("b", "of-another-server");
  wanted.claim("c", version_text(7));
  wanted.subscribe(Names());
  EXPECT_FALSE(wanted.owes_answer());
  EXPECT_EQ(changed(wanted, store), Names{"b"});
  EXPECT_EQ(wanted.diff(store.all()).removed, Names{"c"});
}

TEST(Subscription, StateOfTheWorldReplacesItsList) {
  Store store;
  store.set("a", "1").set("b", "1");
  Subscription wanted(Type::endpoint);
  EXPECT_TRUE(wanted.replace(Names{"a"}));
  send_all(wanted, store);
  EXPECT_FALSE(wanted.replace(Names{"a"}));
  EXPECT_TRUE(wanted.replace(Names{"b"}));
  EXPECT_EQ(changed(wanted, store), Names{"b"});
  EXPECT_TRUE(wanted.replace(Names{"a", "b"}));
  EXPECT_EQ(changed(wanted, store), (Names{"a", "b"}));  // what was let go is new again

  Subscription clusters(Type::cluster);
  EXPECT_TRUE(clusters.replace(Names()));
  EXPECT_TRUE(clusters.wildcard());
  EXPECT_FALSE(clusters.replace(Names()));
  EXPECT_TRUE(clusters.wildcard());
  clusters.replace(Names{"a"});
  EXPECT_FALSE(clusters.wildcard());
  clusters.replace(Names());  // nothing, now
  EXPECT_FALSE(clusters.wildcard());
  EXPECT_EQ(changed(clusters, store), Names());
}

}  // namespace
}  // namespace remora::control
