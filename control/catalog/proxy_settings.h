// What read_settings.cc shares with the other readers: the rows of a proxy's `config`, which proxy-defaults has too,
// and the words of a protocol. Main thread.
#pragma once

#include <span>
#include <string>

#include "control/catalog/reading.h"

namespace remora::catalog {

// Into a ProxySettings.
std::span<const FieldRow> proxy_settings_rows();
// tcp, http, http2 or grpc, in any case.
void read_protocol_word(const At& at, std::string& into);
// "" or exact_balance.
void read_balance_word(const At& at, std::string& into);

}  // namespace remora::catalog
