package s3

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// bodies is what guards the bodies of objects and parts on their way to the store.
type bodies int

const (
	// plain: the signature covers a SHA-256 over plain HTTP, and TLS needs nothing more.
	plain bodies = iota
	// sdkChecksums: a CRC32, in a trailer over TLS. Amazon's stores.
	sdkChecksums
	// withMD5: Content-MD5.
	withMD5
	// withCRC32C: over plain HTTP to other stores, in a header. Those that do not know it leave it alone. Where the processor has no instructions for it, a SHA-256 costs five
	// times as much as all else that there is to do, on both sides.
	withCRC32C
)

func (c *client) bodies() bodies {
	switch {
	case c.cfg.legacyMD5:
		return withMD5
	case c.cfg.amazon():
		return sdkChecksums
	case c.cfg.endpoint.Scheme == "http" && !c.cfg.signPayload:
		return withCRC32C
	}
	return plain
}

// algorithm is what an upload in parts announces.
func (b bodies) algorithm() types.ChecksumAlgorithm {
	switch b {
	case sdkChecksums:
		return types.ChecksumAlgorithmCrc32
	case withCRC32C:
		return types.ChecksumAlgorithmCrc32c
	}
	return ""
}

// apply leaves the body out of the signature where something else guards it.
func (b bodies) apply(o *s3.Options) {
	if b == withCRC32C {
		o.APIOptions = append(o.APIOptions[:len(o.APIOptions):len(o.APIOptions)], v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c is a checksum as headers have it.
func crc32c(b []byte) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.Checksum(b, castagnoli)))
}

// useMD5 puts Content-MD5 in the place of the newer checksums.
func useMD5(stack *middleware.Stack) error {
	// Which of them there are depends on the operation; the names are the SDK's documented ones.
	_, _ = stack.Initialize.Remove("AWSChecksum:SetupInputContext")
	_, _ = stack.Build.Remove("AWSChecksum:RequestMetricsTracking")
	_, hadOne := stack.Finalize.Remove("AWSChecksum:ComputeInputPayloadChecksum")
	_, _ = stack.Finalize.Remove("addInputChecksumTrailer")
	if hadOne != nil {
		return nil // an operation without a body
	}
	return smithyhttp.AddContentChecksumMiddleware(stack)
}
