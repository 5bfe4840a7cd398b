package linegate

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"time"
)

// Class ties accounting to the decision that began the session (RFC 2865
// section 5.25): a NAS sends it back unchanged in every Accounting-Request.
// It is opaque to the NAS; Linegate reads the subscriber and the moment out of
// it. The zero value means a Class that is not ours, or none.
type Class struct {
	Tenant       TenantTag
	SubscriberID string // a UUID
	DecidedAt    time.Time
}

// TenantTag stands for a tenant in a Class, so that what was given to one tenant's
// subscriber is not taken back from another's NAS.
type TenantTag [4]byte

// TagOf returns a tenant's tag: the start of its name's digest.
func TagOf(tenant string) TenantTag {
	sum := sha256.Sum256([]byte(tenant))
	return TenantTag(sum[:4])
}

// classMark starts every Class of ours: "LG" and the version of the form.
const classMark = "LG1"

// ClassSize is the length of a Class attribute's value in octets: mark, tenant,
// UUID, milliseconds since 1970.
const ClassSize = len(classMark) + len(TenantTag{}) + 16 + 8

// AppendClass appends the attribute's value. It appends nothing for a
// subscriber whose ID is no UUID.
func AppendClass(dst []byte, class Class) []byte {
	var id [16]byte
	if !decodeUUID(&id, class.SubscriberID) {
		return dst
	}
	dst = append(dst, classMark...)
	dst = append(dst, class.Tenant[:]...)
	dst = append(dst, id[:]...)
	return binary.BigEndian.AppendUint64(dst, uint64(class.DecidedAt.UnixMilli()))
}

// ParseClass reads a Class; ok is false for one that is not ours.
func ParseClass(value []byte) (class Class, ok bool) {
	if !isClass(string(value)) {
		return Class{}, false
	}
	rest := string(value[len(classMark):])
	tag, rest := rest[:4], rest[4:]
	id := hex.EncodeToString([]byte(rest[:16]))
	return Class{
		Tenant:       TenantTag([]byte(tag)),
		SubscriberID: id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:],
		DecidedAt:    time.UnixMilli(int64(binary.BigEndian.Uint64([]byte(rest[16:])))).UTC(),
	}, true
}

// isClass reports whether a value has the form of a Class of ours.
func isClass(value string) bool {
	return len(value) == ClassSize && strings.HasPrefix(value, classMark)
}

// decodeUUID reads the 36-character form without allocating.
func decodeUUID(id *[16]byte, text string) bool {
	if len(text) != 36 {
		return false
	}
	var digits [32]byte
	n := 0
	for i := range len(text) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if dash != (text[i] == '-') {
			return false
		}
		if !dash {
			digits[n] = text[i]
			n++
		}
	}
	_, err := hex.Decode(id[:], digits[:])
	return err == nil
}
