// SPDX-License-Identifier: MIT
/* The C++ door, ktm.hpp: what is in scope happens, what goes out of scope does not. */
#include <ktm.hpp>

#include "facts.hpp"

static void
refuse(const std::string &home, const std::string &top)
{
    ktm::transaction t(home);

    t.files().put(top + "/four", "4");
    try {
        t.files().put(top + "/no/where", "5");
        expect(false, "a refusal is thrown");
    } catch (const ktm::error &e) {
        expect(std::string(e.what()).find("no/where") != std::string::npos, "it says what");
        expect(e.status() == STATUS_OBJECT_PATH_NOT_FOUND && !e.is_rolled_back(), "and which");
    }
    t.rollback();
    try {
        t.commit();
        expect(false, "what was rolled back is not committed");
    } catch (const ktm::error &e) {
        expect(e.is_rolled_back(), "it is told that it was rolled back");
    }
}

static void
in_a_home(const std::string &path, const std::string &top)
{
    ktm::home home(path);
    ktm::home moved = std::move(home);

    for (const char *name : {"/five", "/six"}) {
        ktm::transaction t(moved);

        t.files().put(top + name, "5");
        t.commit();
    }
    ktm::transaction last(moved);

    moved = ktm::home(top + "/other");
    last.files().remove(top + "/five");
    last.commit();
    expect(!exists(top + "/five") && exists(top + "/six"), "a transaction keeps its home open");
}

int
main(int, char **arguments)
{
    std::string top = arguments[1], home = top + "/home";

    {
        ktm::transaction t(home);

        t.files().put(top + "/one", "1");
        t.files().append(top + "/one", "+1");
        t.files().mkdir(top + "/two", 0755);
        expect(t.files().read(top + "/one") == "1+1", "its own work is read");
        expect(!exists(top + "/one"), "nobody else sees it");
        ktm::transaction moved = std::move(t);
        moved.commit();
    }
    expect(exists(top + "/one") && exists(top + "/two"), "committed");
    {
        ktm::transaction t(home);

        t.files().put(top + "/three", "3");
        t.files().remove(top + "/one");
    }
    expect(exists(top + "/one") && !exists(top + "/three"), "out of scope: rolled back");
    refuse(home, top);
    try {
        ktm::transaction t("not/absolute");
        expect(false, "a home is absolute");
    } catch (const ktm::error &e) {
        expect(e.status() == STATUS_OBJECT_NAME_INVALID, "a home is absolute");
    }
    in_a_home(home, top);
    return end();
}
