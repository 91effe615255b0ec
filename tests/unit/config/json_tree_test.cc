#include "core/config/json_tree.h"

#include <gtest/gtest.h>

namespace remora::config {
namespace {

struct Parsed {
  ConfigErrors errors;
  std::unique_ptr<YamlTree> tree;
};

Parsed parse(std::string_view text, JsonPlaces places = JsonPlaces::lines) {
  Parsed parsed;
  parsed.tree = parse_json(text, "x.json", parsed.errors, places);
  return parsed;
}

TEST(JsonTree, ReadsEveryKindOfValue) {
  const Parsed parsed = parse(R"({"a": [1, -2.50e3, true, null, "x"], "b": {}})");
  ASSERT_TRUE(parsed.errors.empty());
  const YamlNode& a = *parsed.tree->root().find("a");
  ASSERT_EQ(a.items.size(), 5U);
  EXPECT_EQ(a.items[0]->text, "1");
  EXPECT_FALSE(a.items[0]->quoted);
  EXPECT_EQ(a.items[1]->text, "-2.50e3");
  EXPECT_EQ(a.items[2]->text, "true");
  EXPECT_EQ(a.items[3]->kind, YamlNode::Kind::null);
  EXPECT_TRUE(a.items[4]->quoted);
  EXPECT_EQ(parsed.tree->root().find("b")->kind, YamlNode::Kind::mapping);
}

TEST(JsonTree, ReadsEscapesAsJsonHasThem) {
  const Parsed parsed = parse(R"(["\/\b\f\n\r\t\"\\", "\u00e9", "\ud83d\ude00"])");
  ASSERT_TRUE(parsed.errors.empty());
  EXPECT_EQ(parsed.tree->root().items[0]->text, "/\b\f\n\r\t\"\\");
  EXPECT_EQ(parsed.tree->root().items[1]->text, "\xC3\xA9");
  EXPECT_EQ(parsed.tree->root().items[2]->text, "\xF0\x9F\x98\x80");
}

TEST(JsonTree, KnowsWhereValuesBegin) {
  const Parsed parsed = parse("{\n\t\"a\\\"b\": [10,\n  \"c\\\\\", false]\n}");
  ASSERT_TRUE(parsed.errors.empty());
  const auto& [key, value] = parsed.tree->root().map.at(0);
  EXPECT_EQ(key->text, "a\"b");
  EXPECT_EQ(key->line, 2);
  EXPECT_EQ(key->column, 2);
  EXPECT_EQ(value->line, 2);
  EXPECT_EQ(value->column, 10);
  EXPECT_EQ(value->items[0]->column, 11);
  EXPECT_EQ(value->items[1]->line, 3);
  EXPECT_EQ(value->items[1]->column, 3);
  EXPECT_EQ(value->items[2]->column, 10);
}

TEST(JsonTree, TextIsJsonWhereItIsJsonAndElseYaml) {
  ConfigErrors errors;
  EXPECT_EQ(parse_text(" {\"a\": \"\\u00e9\"}", "x", errors)->root().find("a")->text, "\xC3\xA9");
  EXPECT_EQ(parse_text("{a: b}", "x", errors)->root().find("a")->text, "b");
  EXPECT_EQ(parse_text("a: b", "x", errors)->root().find("a")->text, "b");
  EXPECT_TRUE(errors.empty());
  parse_text("{\"a\": [", "x", errors);
  EXPECT_EQ(errors.size(), 1U);
}

TEST(JsonTree, ReportsWhatIsNoJson) {
  for (const char* text : {"{", "[1,]", "{\"a\" 1}", "tru", "[1] 2", "\"\\x\"", "\"\xff\"", "{'a': 1}", "nul"}) {
    const Parsed parsed = parse(text);
    ASSERT_EQ(parsed.errors.size(), 1U) << text;
    EXPECT_EQ(parsed.errors[0].file, "x.json");
    EXPECT_EQ(parsed.errors[0].line, 1);
    EXPECT_TRUE(parsed.errors[0].message.starts_with("not JSON: ")) << parsed.errors[0].message;
  }
}

TEST(JsonTree, ReportsKeysThatAreThereTwice) {
  const Parsed parsed = parse("{\"a\": 1,\n \"a\": 2, \"b\": 3}");
  ASSERT_EQ(parsed.errors.size(), 1U);
  EXPECT_EQ(parsed.errors[0].to_string(), "x.json:2:2: the key 'a' is here twice: first on line 1");
  EXPECT_EQ(parsed.tree->root().find("a")->text, "1");
  EXPECT_EQ(parsed.tree->root().find("b")->text, "3");
}

TEST(JsonTree, EndsAtADepth) {
  const Parsed parsed = parse(std::string(100000, '['));
  ASSERT_EQ(parsed.errors.size(), 1U);
  EXPECT_NE(parsed.errors[0].message.find("nested more than"), std::string::npos);
}

TEST(JsonTree, AnswersHaveNoPlaces) {
  const Parsed parsed = parse("\n\n{\"a\": 1}", JsonPlaces::none);
  EXPECT_EQ(parsed.tree->root().line, 0);
  EXPECT_EQ(parsed.tree->root().find("a")->line, 0);
}

TEST(JsonTree, NothingIsNothing) {
  const Parsed parsed = parse("  ");
  EXPECT_TRUE(parsed.errors.empty());
  EXPECT_EQ(parsed.tree->root().kind, YamlNode::Kind::null);
}

}  // namespace
}  // namespace remora::config
