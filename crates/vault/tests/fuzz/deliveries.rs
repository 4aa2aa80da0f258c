//! Rightly signed deliveries as one text each: the place of the service in the list, its headers, an empty line, the body.

/// By the secrets of `entry`, at its moment. The number is that of `entry::SERVICES`.
pub fn deliveries() -> Vec<String> {
    let stripe = "0c8670ed117751cc551a20e35839447075c42800ea3cf3e8a2fbda99cd1e6edd";
    let discord =
        "dec25cad8ad12d40ba0f8b845903eb76cf74f5ad85495c0550c75dcd78e40ed677e4460f96f332c2c190560ebc8b86cc820e89fb4954161c369c208e8244670c";
    let standard = "DA+4m4VqA33Hm9Wlha/1LaJIOTEvbTa2btJ5gtcP1KIJ83aMbtlDaDEj9gW4UzCjPd9EMUgy41eDWvfIiFddCQ==";
    vec![
        format!("0\nstripe-signature: t=1700000000,v1={stripe},v0=ab\n\n{{\"id\":\"evt_1\",\"object\":\"event\"}}"),
        "1\nx-shopify-hmac-sha256: Y5yh1MBcvmylNdRGRmMjSnWMAU5vK6ZYOwIowkFMvRk=\n\n{\"id\":\"evt_1\",\"object\":\"event\"}".to_owned(),
        "2\ntypeform-signature: sha256=/4v2iXjnvXI6iOz50E4d1vdjHt31EWVzY4ViijPy5p0=\n\n{\"event_id\":\"01H\",\"event_type\":\"form_response\"}".to_owned(),
        "3\nlinear-signature: b635dc83e1b59c72cfd5722f7c9e9a02319f61dd3ee79654372b9450efdeb334\n\n{\"action\":\"create\",\"webhookTimestamp\":1700000000123}".to_owned(),
        "4\nx-zendesk-webhook-signature: BGz5dwEMlnrg8DCVkhSr/bvjBet7jSO83rM6VZDk5Ps=\nx-zendesk-webhook-signature-timestamp: 2023-11-14T22:13:20Z\n\n{\"type\":\"x\"}".to_owned(),
        format!("5\nx-signature-ed25519: {discord}\nx-signature-timestamp: 1700000000\n\n{{\"type\":1,\"id\":\"77\"}}"),
        format!("6\nwebhook-id: msg_1\nwebhook-timestamp: 1700000000\nwebhook-signature: v1a,{standard}\n\n{{\"a\":1}}"),
        "7\nx-twilio-signature: RSOYDt4T1cUTdK1PDd93/VVr8B8=\ncontent-type: application/x-www-form-urlencoded\n\nFrom=%2B14158675309&To=%2B18005551212&CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234".to_owned(),
    ]
}
